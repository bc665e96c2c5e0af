package jsonread

// Object calls member for each member in order; member must read the value.
func (r *Reader) Object(member func(key string)) {
	r.Members(func(key []byte) { member(string(key)) })
}

// Members is Object for the large ones: key is valid only until member has read the value.
func (r *Reader) Members(member func(key []byte)) {
	if r.Kind() != '{' {
		r.want("an object")
		return
	}
	if !r.enter() {
		return
	}
	first := true
	for r.err == nil {
		r.space()
		if r.peek('}') {
			break
		}
		if !first && !r.comma() {
			return
		}
		first = false
		r.space()
		if r.pos >= len(r.data) || r.data[r.pos] != '"' {
			r.syntax("expected a member name")
			return
		}
		r.buf = r.buf[:0]
		key := r.rawString()
		if len(r.buf) > 0 {
			key = append([]byte(nil), key...)
		}
		r.space()
		if r.err == nil && !r.peek(':') {
			r.syntax("expected ':'")
		}
		if r.err != nil {
			return
		}
		r.path = append(r.path, step{key: key, index: -1})
		member(key)
		r.path = r.path[:len(r.path)-1]
	}
	r.depth--
}

// Array calls element for each element in order; element must read it.
func (r *Reader) Array(element func(i int)) {
	if r.Kind() != '[' {
		r.want("an array")
		return
	}
	if !r.enter() {
		return
	}
	r.path = append(r.path, step{})
	for i := 0; r.err == nil; i++ {
		r.space()
		if r.peek(']') {
			break
		}
		if i > 0 && !r.comma() {
			return
		}
		r.path[len(r.path)-1].index = i
		element(i)
	}
	if r.err == nil {
		r.path = r.path[:len(r.path)-1]
	}
	r.depth--
}

func (r *Reader) enter() bool {
	r.pos++
	if r.depth++; r.depth > maxDepth {
		r.Failf("nested more than %d deep", maxDepth)
		return false
	}
	return true
}

func (r *Reader) peek(c byte) bool {
	if r.pos < len(r.data) && r.data[r.pos] == c {
		r.pos++
		return true
	}
	return false
}

func (r *Reader) comma() bool {
	if !r.peek(',') {
		r.syntax("expected ','")
		return false
	}
	r.space()
	return true
}
