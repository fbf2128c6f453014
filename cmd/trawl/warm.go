package main

import (
	_ "github.com/andybalholm/brotli"
	_ "github.com/cockroachdb/pebble/v2"
	_ "github.com/gocolly/colly/v2"
	_ "github.com/hashicorp/memberlist"
	_ "github.com/klauspost/compress/zstd"
	_ "github.com/nats-io/nats-server/v2/server"
	_ "github.com/nats-io/nats.go/jetstream"
	_ "github.com/nlnwa/whatwg-url/url"
	_ "github.com/spf13/cobra"
	_ "golang.org/x/time/rate"
	_ "google.golang.org/protobuf/proto"
)

func main() {}
