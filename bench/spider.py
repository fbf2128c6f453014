# The crawl that Scrapy does in a-peers: all links of all pages on the seeds' hosts, each page in a file.
import os
import urllib.parse

import scrapy
from scrapy.linkextractors import LinkExtractor


class Spider(scrapy.Spider):
    name = "bench"
    custom_settings = {
        "ROBOTSTXT_OBEY": True,
        "DOWNLOAD_DELAY": 0,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 8,
        "AUTOTHROTTLE_ENABLED": False,
        "RETRY_ENABLED": False,
        "COOKIES_ENABLED": False,
        "DNSCACHE_ENABLED": True,
        "TELNETCONSOLE_ENABLED": False,
        "LOG_LEVEL": "ERROR",
        "REQUEST_FINGERPRINTER_IMPLEMENTATION": "2.7",
    }

    def __init__(self, seeds, to):
        self.to, self.number = to, 0
        with open(seeds) as f:
            self.start_urls = f.read().split()
        self.seen = set(self.start_urls)  # cheaper than a request for each link that the filter then drops
        self.allowed_domains = [urllib.parse.urlsplit(u).hostname for u in self.start_urls]
        self.links = LinkExtractor()

    def parse(self, response):
        self.number += 1
        with open(os.path.join(self.to, "%d.page" % self.number), "wb") as f:
            f.write(response.body)
        for link in self.links.extract_links(response):
            url = link.url.partition("#")[0]
            if url not in self.seen:
                self.seen.add(url)
                yield scrapy.Request(url, self.parse)
