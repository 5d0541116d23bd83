package runfolder

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// sealKey is the member that holds a document's own hash. It is the last one.
const sealKey = "hash"

// Seal adds to a JSON object, as its last member, "hash": the SHA-256, in hex, of the object's text as it was before, without the white
// space between its parts. A file that is written on other lines or with other indents keeps its seal; another digit, name or order, or
// the same number in another spelling, breaks it. Seal panics if doc is no JSON object or an empty one.
func Seal(doc []byte) []byte {
	compact, err := compacted(doc)
	end := bytes.LastIndexByte(doc, '}')
	if err != nil || len(compact) < len(`{"":0}`) || compact[0] != '{' {
		panic(fmt.Sprintf("runfolder: Seal: want a JSON object with members, not %.40q (%v)", doc, err))
	}
	body := bytes.TrimRight(doc[:end], " \t\r\n")
	space := doc[len(body):end] // what stands before the closing brace: a new line where the object is indented
	sealed := append(bytes.Clone(body), ',')
	if len(space) > 0 {
		sealed = fmt.Appendf(append(sealed, space...), ` %q: %q`, sealKey, sealOf(compact))
	} else {
		sealed = fmt.Appendf(sealed, `%q:%q`, sealKey, sealOf(compact))
	}
	return append(append(sealed, space...), doc[end:]...)
}

// Unseal returns the object that was sealed, without white space. Where the last member is no seal, sealed is false and the
// document is returned whole: a file of an earlier version, or one whose seal is damaged, which a reader can tell apart because the
// earlier version wrote no member that the reader does not know. It is an error, [ErrChanged], if the hash is not that of the rest, which
// is then returned besides.
func Unseal(doc []byte) (body []byte, sealed bool, err error) {
	compact, err := compacted(doc)
	if err != nil {
		return nil, false, err
	}
	start := len(compact) - len(`,"":""}`) - len(sealKey) - hex.EncodedLen(sha256.Size)
	if start < 0 || !bytes.HasPrefix(compact[start:], []byte(`,"`+sealKey+`":"`)) || !bytes.HasSuffix(compact, []byte(`"}`)) {
		return compact, false, nil
	}
	value := compact[len(compact)-len(`"}`)-hex.EncodedLen(sha256.Size) : len(compact)-len(`"}`)]
	body = append(bytes.Clone(compact[:start]), '}')
	if want := sealOf(body); string(value) != want {
		return body, true, fmt.Errorf("%w: the contents have the SHA-256 %.12s, and %q says %.12s", ErrChanged, want, sealKey, value)
	}
	return body, true, nil
}

// ErrChanged is what [Unseal] wraps where a document is not the one that was sealed.
var ErrChanged = errors.New("damaged, or changed after it was written")

func compacted(doc []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, doc); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func sealOf(compact []byte) string {
	sum := sha256.Sum256(compact)
	return hex.EncodeToString(sum[:])
}
