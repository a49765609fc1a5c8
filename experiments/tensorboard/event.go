package tensorboard

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"flowbench/train"
)

// Numbers of the fields that are written (tensorflow/core/util/event.proto and
// core/framework/summary.proto, tensor.proto, tensor_shape.proto).
const (
	eventWallTime    = 1
	eventStep        = 2
	eventFileVersion = 3
	eventSummary     = 5

	summaryValue        = 1
	summaryTag          = 1
	summarySimpleValue  = 2
	summaryTensor       = 8
	summaryMetadata     = 9
	metadataPluginData  = 1
	metadataDataClass   = 4
	pluginDataName      = 1
	pluginDataContent   = 2
	dataClassTensor     = 2
	tensorDType         = 1
	tensorShape         = 2
	tensorShapeDim      = 2
	tensorDTypeFloat    = 1
	tensorShapeDimsSize = 1
)

// fileVersion is what the first event of every file says.
const fileVersion = "brain.Event:2"

// event begins an event.
func event(at time.Time, step int64) []byte {
	b := appendDouble(nil, eventWallTime, seconds(at))
	if step != 0 {
		b = protowire.AppendTag(b, eventStep, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(step))
	}
	return b
}

func versionEvent(at time.Time) []byte {
	return appendString(event(at, 0), eventFileVersion, fileVersion)
}

// epochEvent has a scalar for each figure of an epoch, its step being the epoch.
func epochEvent(at time.Time, m train.EpochMetrics) []byte {
	values := maps.Clone(m.Values)
	if values == nil {
		values = map[string]float64{}
	}
	values["train.learning_rate"] = m.LearningRate
	return scalars(at, int64(m.Epoch), memberPrefix(m.Member), values)
}

// scalars is an event with one value for each of figures, in order of name.
func scalars(at time.Time, step int64, prefix string, figures map[string]float64) []byte {
	var summary []byte
	for _, name := range slices.Sorted(maps.Keys(figures)) {
		value := appendString(nil, summaryTag, prefix+tag(name))
		value = protowire.AppendTag(value, summarySimpleValue, protowire.Fixed32Type)
		value = protowire.AppendFixed32(value, math.Float32bits(float32(figures[name])))
		summary = appendMessage(summary, summaryValue, value)
	}
	return appendMessage(event(at, step), eventSummary, summary)
}

// tag is a figure's name as TensorBoard groups it: validation/average_precision.
func tag(name string) string { return strings.Replace(name, ".", "/", 1) }

// memberPrefix keeps the curves of an ensemble's members apart. The first has
// none, so that its curves lie over those of single networks.
func memberPrefix(member int) string {
	if member == 0 {
		return ""
	}
	return fmt.Sprintf("member_%d/", member)
}

// seconds is a time as the files have it, in seconds since 1970 with a fraction.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

func appendDouble(b []byte, field protowire.Number, v float64) []byte {
	b = protowire.AppendTag(b, field, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, math.Float64bits(v))
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendString(b, s)
}

func appendMessage(b []byte, field protowire.Number, message []byte) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendBytes(b, message)
}

func appendEnum(b []byte, field protowire.Number, v uint64) []byte {
	b = protowire.AppendTag(b, field, protowire.VarintType)
	return protowire.AppendVarint(b, v)
}
