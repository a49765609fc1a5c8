package tensorboard

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of the fields of the plugin hparams (tensorboard/plugins/hparams/
// plugin_data.proto and api.proto) and of google/protobuf/struct.proto.
const (
	pluginName = "hparams"

	hparamsSessionStart = 3
	hparamsSessionEnd   = 4

	startHParams = 1
	startGroup   = 4
	startTime    = 5
	mapKey       = 1
	mapValue     = 2

	endStatus = 1
	endTime   = 2

	valueNumber = 2
	valueString = 3
	valueBool   = 4
)

// Tags of the plugin's messages of a trial. Without one of a study it makes the
// columns of its table from those.
const (
	startTag = "_hparams_/session_start_info"
	endTag   = "_hparams_/session_end_info"
)

// Status is how a trial ended.
type Status uint64

// What the table of hyperparameters can say of a trial.
const (
	Unknown Status = iota
	Succeeded
	Failed
	Running
)

// startEvent says what a trial was given.
func startEvent(at time.Time, s Session) ([]byte, error) {
	var message []byte
	for _, name := range slices.Sorted(maps.Keys(s.Parameters)) {
		v, err := plainValue(name, s.Parameters[name])
		if err != nil {
			return nil, err
		}
		entry := appendString(nil, mapKey, name)
		entry = appendMessage(entry, mapValue, structValue(v))
		message = appendMessage(message, startHParams, entry)
	}
	message = appendString(message, startGroup, s.Group)
	message = appendDouble(message, startTime, seconds(at))
	return pluginEvent(at, startTag, hparamsSessionStart, message), nil
}

// endEvent says how a trial ended.
func endEvent(at time.Time, status Status) []byte {
	message := appendEnum(nil, endStatus, uint64(status))
	message = appendDouble(message, endTime, seconds(at))
	return pluginEvent(at, endTag, hparamsSessionEnd, message)
}

// pluginEvent is an event that carries one message of the plugin beside an empty
// tensor, without which TensorBoard would drop it. The plugin's version is 0,
// which proto3 does not write.
func pluginEvent(at time.Time, tag string, field protowire.Number, message []byte) []byte {
	data := appendString(nil, pluginDataName, pluginName)
	data = appendMessage(data, pluginDataContent, appendMessage(nil, field, message))
	metadata := appendMessage(nil, metadataPluginData, data)
	metadata = appendEnum(metadata, metadataDataClass, dataClassTensor)

	size := appendEnum(nil, tensorShapeDimsSize, 0)
	tensor := appendEnum(nil, tensorDType, tensorDTypeFloat)
	tensor = appendMessage(tensor, tensorShape, appendMessage(nil, tensorShapeDim, size))

	value := appendString(nil, summaryTag, tag)
	value = appendMessage(value, summaryTensor, tensor)
	value = appendMessage(value, summaryMetadata, metadata)
	return appendMessage(event(at, 0), eventSummary, appendMessage(nil, summaryValue, value))
}

// plainValue is a parameter as a string, a bool or a float64: lists and weights a
// label become their JSON.
func plainValue(name string, v any) (any, error) {
	switch v := v.(type) {
	case string, bool:
		return v, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("tensorboard: parameter %s is %v, want a finite number", name, v)
		}
		return v, nil
	case int:
		return float64(v), nil
	case int64:
		return float64(v), nil
	case uint64:
		return float64(v), nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("tensorboard: parameter %s: %w", name, err)
	}
	return string(text), nil
}

// structValue is a plainValue as a google.protobuf.Value.
func structValue(v any) []byte {
	switch v := v.(type) {
	case string:
		return appendString(nil, valueString, v)
	case bool:
		return appendEnum(nil, valueBool, protowire.EncodeBool(v))
	}
	return appendDouble(nil, valueNumber, v.(float64))
}
