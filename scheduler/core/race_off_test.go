//go:build !race

package core

const raced = false
