package generate

// OnDevice has a graph for processors run as one for cards does, over memory that is bound, with parts of prompts of so
// many tokens.
func OnDevice(o Options, chunk int) Options {
	o.bound, o.chunk = true, chunk
	return o
}
