package wire

// A Batch is a run of records, frames or packets in one contiguous buffer, so
// that a run of equal sizes can leave in one system call. The zero value is
// ready to use; Reset keeps the memory.
type Batch struct {
	Buf  []byte
	Ends []int // end offset of each element in Buf
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() { b.Buf, b.Ends = b.Buf[:0], b.Ends[:0] }

// Len is the number of elements.
func (b *Batch) Len() int { return len(b.Ends) }

// At returns element i, valid until the batch is changed.
func (b *Batch) At(i int) []byte {
	start := 0
	if i > 0 {
		start = b.Ends[i-1]
	}
	return b.Buf[start:b.Ends[i]:b.Ends[i]]
}

// Append copies p into the batch as a new element.
func (b *Batch) Append(p []byte) {
	b.Buf = append(b.Buf, p...)
	b.Ends = append(b.Ends, len(b.Buf))
}

// Truncate keeps the first n elements.
func (b *Batch) Truncate(n int) {
	if n < len(b.Ends) {
		b.Ends = b.Ends[:n]
		end := 0
		if n > 0 {
			end = b.Ends[n-1]
		}
		b.Buf = b.Buf[:end]
	}
}

// Slices returns all elements, valid until the batch is changed.
func (b *Batch) Slices() [][]byte {
	all := make([][]byte, b.Len())
	for i := range all {
		all[i] = b.At(i)
	}
	return all
}
