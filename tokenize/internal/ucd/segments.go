package ucd

import _ "embed"

//go:embed segments.bin
var embeddedSegments []byte

// Segment is the class by which Oniguruma finds the borders of extended grapheme clusters, and SegmentPictograph
// beside it.
type Segment uint8

// The order is that of probe_properties.py.
const (
	SegmentOther Segment = iota
	SegmentCR
	SegmentLF
	SegmentControl
	SegmentExtend
	SegmentZWJ
	SegmentRegional
	SegmentPrepend
	SegmentSpacing
	SegmentL
	SegmentV
	SegmentT
	SegmentLV
	SegmentLVT

	SegmentPictograph Segment = 1 << 7
)

// SegmentOf returns the class of r.
func SegmentOf(r rune) Segment {
	if uint32(r) >= 0x110000 {
		return SegmentOther
	}
	b := embeddedSegments[4:]
	return Segment(b[pageCount+int(b[uint32(r)>>8])<<8|int(r&0xff)])
}
