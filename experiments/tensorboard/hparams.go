package tensorboard

import (
	"encoding/json"
	"fmt"
	"io"
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

	hparamsExperiment   = 2
	hparamsSessionStart = 3
	hparamsSessionEnd   = 4

	experimentCreated = 3
	experimentHParams = 4
	experimentMetrics = 5
	experimentName    = 6

	hparamName = 1
	hparamType = 4

	metricName        = 1
	metricNameTag     = 2
	metricDisplayName = 3

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

// Tags of the plugin's three messages.
const (
	experimentTag = "_hparams_/experiment"
	startTag      = "_hparams_/session_start_info"
	endTag        = "_hparams_/session_end_info"
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

// Experiment is what the table of hyperparameters shows of a study. It stands in
// an event file of its own, in the folder that holds those of the trials.
type Experiment struct {
	Name string
	// Parameters are a value of each parameter that a trial may have, as in
	// Session: it decides the type of the column.
	Parameters map[string]any
	// Results are the names of the results that have a column, such as
	// validation.average_precision.
	Results []string
	Clock   func() time.Time
}

// WriteExperiment writes the event file of a study. It returns w's error, or that
// of a parameter whose value is of no kind that a table shows.
func WriteExperiment(w io.Writer, e Experiment) error {
	now := e.Clock()
	message := appendDouble(nil, experimentCreated, seconds(now))
	for _, name := range slices.Sorted(maps.Keys(e.Parameters)) {
		v, err := plainValue(name, e.Parameters[name])
		if err != nil {
			return err
		}
		info := appendString(nil, hparamName, name)
		info = appendEnum(info, hparamType, dataType(v))
		message = appendMessage(message, experimentHParams, info)
	}
	for _, name := range e.Results {
		column := appendMessage(nil, metricName, appendString(nil, metricNameTag, resultPrefix+tag(name)))
		column = appendString(column, metricDisplayName, name)
		message = appendMessage(message, experimentMetrics, column)
	}
	message = appendString(message, experimentName, e.Name)
	return writeRecords(w, versionEvent(now), pluginEvent(now, experimentTag, hparamsExperiment, message))
}

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

// dataType is a plainValue's number in the enum DataType.
func dataType(v any) uint64 {
	switch v.(type) {
	case string:
		return 1
	case bool:
		return 2
	}
	return 3
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
