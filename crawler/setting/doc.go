// Package setting describes settings: each has one description from which its flag, its key in configuration files, its
// default, its check, its help and its completion follow.
//
// A [Setting] says of a field of a struct how it is called and written, what it usually is and what it may be. A [Form] is a
// way of writing values. An [Error] names the setting that is wrong. Texts of the core name settings in `quotes`; how one is said,
// as a flag, a key or a field, knows only the program that shows the text.
//
// There are no goroutines and no I/O here, and no settings: those of a job are a table in package crawler.
package setting
