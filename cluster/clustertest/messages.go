package clustertest

import (
	"fmt"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// Task is the n-th turn of a queue, of a host of its own.
func Task(tb testing.TB, n int) crawler.Task {
	host := fmt.Sprintf("h%d.example", n)
	u, err := weburl.Parse("http://" + host + "/")
	Must(tb, err)
	return crawler.Task{Turn: Turn(n), Host: weburl.Host(host), URLs: []crawler.TaskURL{{URL: u, Depth: n}}}
}

// Turn is the id of the n-th turn.
func Turn(n int) (id crawler.TurnID) {
	copy(id[:], fmt.Sprintf("turn %011d", n))
	return id
}

// Part is a part of the n-th turn, with its number.
func Part(n int) *crawler.Part {
	return &crawler.Part{
		Turn: Turn(n), Holder: crawler.HolderID{1}, Host: weburl.Host(fmt.Sprintf("h%d.example", n)), Number: n,
		Fetcher: "f", Wait: time.Second,
	}
}
