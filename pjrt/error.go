package pjrt

import "fmt"

// Error is an error returned by a plug-in.
type Error struct {
	Call    string // the PJRT function
	Code    Code
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("pjrt: %s: %s: %s", e.Call, e.Code, e.Message) }

// Code is a PJRT_Error_Code, which is an absl::StatusCode.
type Code int32

var codeNames = [...]string{"ok", "cancelled", "unknown", "invalid argument", "deadline exceeded", "not found", "already exists",
	"permission denied", "resource exhausted", "failed precondition", "aborted", "out of range", "unimplemented", "internal",
	"unavailable", "data loss", "unauthenticated"}

func (c Code) String() string {
	if c >= 0 && int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code %d", int32(c))
}

// take copies the plug-in's error and frees it.
func (p *Plugin) take(name string, e uintptr) error {
	if e == 0 {
		return nil
	}
	message := errorMessageArgs{err: e}
	void(p, fnErrorMessage, &message)
	code := errorCodeArgs{err: e}
	// PJRT_Error_GetCode itself returns an error, which can only say that the
	// struct size is wrong; the code then stays 0 and the message is kept.
	void(p, fnErrorGetCode, &code)
	err := &Error{Call: name, Code: Code(code.code), Message: foreignString(message.message, message.messageSize)}
	destroy := errorArgs{err: e}
	void(p, fnErrorDestroy, &destroy)
	return err
}
