//go:build race

package core

// raced: under the race detector the simulations are fewer and smaller. It keeps a clock for each goroutine, and with many
// thousands of timers in one bubble Go's own ends with "CHECK failed: tsan_rtl.cpp".
const raced = true
