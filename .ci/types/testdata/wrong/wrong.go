// Package wrong has types that do not agree on Windows alone.
package wrong

const lines = "\n"
