package api

// What the tests outside the package see of an operation.

// SentBy are the requests that the document shows.
func SentBy(o Operation) []Example { return o.examples }

// BodyOf is the kinds of body that an operation takes.
func BodyOf(o Operation) []string {
	if o.binding.body == nil {
		return nil
	}
	return o.binding.body.kinds
}
