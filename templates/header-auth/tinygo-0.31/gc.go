//go:build tinygo

package main

// TinyGo's own garbage collector loses memory in a module that runs for weeks: this one takes its place.
import _ "github.com/wasilibs/nottinygc"
