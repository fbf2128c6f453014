// Package trusttest has secrets, keyrings and files of keys for the tests of the rooms that go by them. Only tests import it.
package trusttest
