package tensorboard

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// message describes the fields that a decoded message may have; a field that it
// does not list is an error.
type message map[protowire.Number]field

type field struct {
	name     string
	kind     string // double, float, int, string, bytes, message
	repeated bool
	of       message
}

var (
	tensorMessage = message{
		1: {name: "dtype", kind: "int"},
		2: {name: "tensor_shape", kind: "message", of: message{2: {name: "dim", kind: "message", repeated: true, of: message{1: {name: "size", kind: "int"}}}}},
	}
	metadataMessage = message{
		1: {name: "plugin_data", kind: "message", of: message{1: {name: "plugin_name", kind: "string"}, 2: {name: "content", kind: "message", of: hparamsMessage}}},
		4: {name: "data_class", kind: "int"},
	}
	eventMessage = message{
		1: {name: "wall_time", kind: "double"}, 2: {name: "step", kind: "int"}, 3: {name: "file_version", kind: "string"},
		5: {name: "summary", kind: "message", of: message{1: {name: "value", kind: "message", repeated: true, of: message{
			1: {name: "tag", kind: "string"}, 2: {name: "simple_value", kind: "float"},
			8: {name: "tensor", kind: "message", of: tensorMessage}, 9: {name: "metadata", kind: "message", of: metadataMessage},
		}}}},
	}
	structMessage  = message{2: {name: "number", kind: "double"}, 3: {name: "string", kind: "string"}, 4: {name: "bool", kind: "int"}}
	hparamsMessage = message{
		2: {name: "experiment", kind: "message", of: message{
			3: {name: "time_created_secs", kind: "double"}, 6: {name: "name", kind: "string"},
			4: {name: "hparam_infos", kind: "message", repeated: true, of: message{1: {name: "name", kind: "string"}, 4: {name: "type", kind: "int"}}},
			5: {name: "metric_infos", kind: "message", repeated: true, of: message{
				1: {name: "name", kind: "message", of: message{1: {name: "group", kind: "string"}, 2: {name: "tag", kind: "string"}}},
				3: {name: "display_name", kind: "string"},
			}},
		}},
		3: {name: "session_start_info", kind: "message", of: message{
			1: {name: "hparams", kind: "message", repeated: true, of: message{1: {name: "key", kind: "string"}, 2: {name: "value", kind: "message", of: structMessage}}},
			4: {name: "group_name", kind: "string"}, 5: {name: "start_time_secs", kind: "double"},
		}},
		4: {name: "session_end_info", kind: "message", of: message{1: {name: "status", kind: "int"}, 2: {name: "end_time_secs", kind: "double"}}},
	}
)

// decoded is a message's fields by name: float64, int64, string, decoded, or
// []decoded where they are repeated.
type decoded map[string]any

// decode reads b as m says, strictly: an unknown field, another wire type, a
// singular field that comes twice, or bytes left over are errors.
func decode(b []byte, m message) (decoded, error) {
	out := decoded{}
	for len(b) > 0 {
		number, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		b = b[n:]
		f, known := m[number]
		if !known {
			return nil, fmt.Errorf("field %d is not known", number)
		}
		if _, twice := out[f.name]; twice && !f.repeated {
			return nil, fmt.Errorf("%s comes twice", f.name)
		}
		v, n, err := f.value(wire, b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		b = b[n:]
		if f.repeated {
			list, _ := out[f.name].([]decoded)
			v = append(list, v.(decoded))
		}
		out[f.name] = v
	}
	return out, nil
}

func (f field) value(wire protowire.Type, b []byte) (any, int, error) {
	want := map[string]protowire.Type{
		"double": protowire.Fixed64Type, "float": protowire.Fixed32Type, "int": protowire.VarintType,
		"string": protowire.BytesType, "message": protowire.BytesType,
	}[f.kind]
	if wire != want {
		return nil, 0, fmt.Errorf("wire type %d, want %d", wire, want)
	}
	n := protowire.ConsumeFieldValue(1, wire, b)
	if n < 0 {
		return nil, 0, protowire.ParseError(n)
	}
	switch f.kind {
	case "double":
		v, _ := protowire.ConsumeFixed64(b)
		return math.Float64frombits(v), n, nil
	case "float":
		v, _ := protowire.ConsumeFixed32(b)
		return float64(math.Float32frombits(v)), n, nil
	case "int":
		v, _ := protowire.ConsumeVarint(b)
		return int64(v), n, nil
	case "string":
		v, _ := protowire.ConsumeString(b)
		return v, n, nil
	}
	inner, _ := protowire.ConsumeBytes(b)
	v, err := decode(inner, f.of)
	return v, n, err
}

// records splits a file into the data of its records, and checks every length
// and checksum with a CRC-32C of its own.
func records(b []byte) ([][]byte, error) {
	var all [][]byte
	for at := 0; at < len(b); {
		if len(b)-at < 12 {
			return nil, fmt.Errorf("byte %d: %d bytes are no record's head", at, len(b)-at)
		}
		if got, want := binary.LittleEndian.Uint32(b[at+8:]), masked(b[at:at+8]); got != want {
			return nil, fmt.Errorf("byte %d: checksum of the length %08x, want %08x", at, got, want)
		}
		n := binary.LittleEndian.Uint64(b[at:])
		if uint64(len(b)-at) < 16+n {
			return nil, fmt.Errorf("byte %d: a record of %d bytes does not end", at, n)
		}
		data := b[at+12 : at+12+int(n)]
		if got, want := binary.LittleEndian.Uint32(b[at+12+int(n):]), masked(data); got != want {
			return nil, fmt.Errorf("byte %d: checksum of the data %08x, want %08x", at, got, want)
		}
		all = append(all, data)
		at += 16 + int(n)
	}
	return all, nil
}

// masked is the checksum bit by bit: the reflected polynomial 0x1EDC6F41.
func masked(data []byte) uint32 {
	crc := ^uint32(0)
	for _, c := range data {
		crc ^= uint32(c)
		for range 8 {
			crc = crc>>1 ^ 0x82f63b78&-(crc&1)
		}
	}
	crc = ^crc
	return (crc>>15 | crc<<17) + 0xa282ead8
}

// events decodes a whole file.
func events(b []byte) ([]decoded, error) {
	list, err := records(b)
	if err != nil {
		return nil, err
	}
	var all []decoded
	for i, data := range list {
		e, err := decode(data, eventMessage)
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		if _, ok := e["wall_time"]; !ok {
			return nil, fmt.Errorf("event %d has no time", i)
		}
		all = append(all, e)
	}
	return all, nil
}
