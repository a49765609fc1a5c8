package tensorboard

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

// A record is eight bytes of length, the masked CRC-32C of these, the data, and
// the masked CRC-32C of the data, all little-endian (TensorFlow, TFRecord format).
const (
	recordHead = 8 + 4
	recordTail = 4
	// maxRecord bounds the record that is read: an epoch's takes some hundred
	// bytes, and a damaged length must not exhaust memory.
	maxRecord = 16 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedCRC is the checksum of a record's part: rotated and moved, for data that
// holds checksums of its own (TensorFlow, lib/hash/crc32c.h).
func maskedCRC(data []byte) uint32 {
	crc := crc32.Checksum(data, castagnoli)
	return (crc>>15 | crc<<17) + 0xa282ead8
}

// appendRecord appends data as one record to b.
func appendRecord(b, data []byte) []byte {
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	b = append(b, length...)
	b = binary.LittleEndian.AppendUint32(b, maskedCRC(length))
	b = append(b, data...)
	return binary.LittleEndian.AppendUint32(b, maskedCRC(data))
}

// nextRecord splits the first record off b; ok is false where b does not begin
// with a whole and undamaged one.
func nextRecord(b []byte) (data, rest []byte, ok bool) {
	if len(b) < recordHead || binary.LittleEndian.Uint32(b[8:]) != maskedCRC(b[:8]) {
		return nil, b, false
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxRecord || uint64(len(b)) < recordHead+n+recordTail {
		return nil, b, false
	}
	data = b[recordHead : recordHead+n]
	if binary.LittleEndian.Uint32(b[recordHead+n:]) != maskedCRC(data) {
		return nil, b, false
	}
	return data, b[recordHead+n+recordTail:], true
}

// writeRecords writes each event as a record, all of them in one Write.
func writeRecords(w io.Writer, events ...[]byte) error {
	var b []byte
	for _, e := range events {
		b = appendRecord(b, e)
	}
	_, err := w.Write(b)
	return err
}
