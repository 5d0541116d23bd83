//go:build unix && !linux

package main

import "os"

func measured(string) { os.Exit(exitUsage) } // the tests that ask for it run on Linux
