"""The scripted web, seen through httpx."""

import gzip
import zlib

import httpx
import pytest

from tests.scripted_server.web import Bomb, Endless, Hit, Page, Trickle, WebServer, redirect
from tests.unit.scripted_server.talk import PLAIN

pytestmark = pytest.mark.loopback


@pytest.fixture
def http(web):
    with httpx.Client(base_url=web.root, timeout=5, **PLAIN) as client:
        yield client


class TestPages:
    @pytest.mark.parametrize(
        ("served", "expected"),
        [
            ("<p>ü</p>", (200, "<p>ü</p>".encode(), "text/html; charset=utf-8")),
            (b"\x00\xff", (200, b"\x00\xff", "text/html; charset=utf-8")),
            (Page(b"%PDF-", content_type="application/pdf"), (200, b"%PDF-", "application/pdf")),
            (Page(status=503), (503, b"", "text/html; charset=utf-8")),
            (lambda request: request.query, (200, b"a=1", "text/html; charset=utf-8")),
        ],
    )
    def test_a_page_is_served_as_scripted(self, web, http, served, expected):
        web.page("/a", served)
        answer = http.get("/a?a=1")
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == expected

    def test_other_paths_are_not_found_and_every_visit_counts(self, web, http):
        web.page("/a", Page(status=503), "second")
        assert [http.get(path).status_code for path in ("/a", "/a", "/b")] == [503, 200, 404]
        assert web.counts == {"/a": 2, "/b": 1}
        assert web.requests[0].headers["host"] == f"127.0.0.1:{web.port}"

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirects_point_where_they_are_told(self, web, http, status):
        web.page("/a", redirect("http://169.254.169.254/latest", status))
        answer = http.get("/a")
        assert (answer.status_code, answer.headers["location"]) == (status, "http://169.254.169.254/latest")

    def test_a_redirect_loop_has_no_end(self, web, http):
        web.page("/a", redirect("/b"))
        web.page("/b", redirect("/a"))
        with pytest.raises(httpx.TooManyRedirects):
            http.get("/a", follow_redirects=True)

    def test_a_host_has_pages_of_its_own(self, web, http):
        web.page("/a", "anyone's")
        web.page("//news.example/a", "its own")
        assert http.get("/a", headers={"host": "news.example:8080"}).text == "its own"
        assert http.get("/a").text == "anyone's"

    def test_a_header_may_lie(self, web, http):
        web.page("/a", Page(b"\x0b\x02\x80", headers={"content-encoding": "br"}))
        with http.stream("GET", "/a") as answer:
            assert answer.headers["content-encoding"] == "br"
            assert b"".join(answer.iter_raw()) == b"\x0b\x02\x80"


class TestHostile:
    @pytest.mark.parametrize("served", [Endless(), Trickle(interval=0.001), Trickle(interval=60), Bomb()])
    def test_it_goes_on_until_the_client_leaves(self, web, http, served):
        web.page("/a", served)
        with http.stream("GET", "/a") as answer:
            assert next(answer.iter_raw())
        web.wait_until(lambda: web.disconnects)
        assert web.in_flight == 0

    def test_a_trickle_comes_byte_by_byte(self, web, http):
        web.page("/a", Trickle(b"abc", interval=0.001))
        assert http.get("/a").content == b"abc"

    @pytest.mark.parametrize("megabytes", [0, 1, 7])
    def test_a_bomb_is_valid_gzip(self, web, http, megabytes):
        web.page("/a", Bomb(megabytes))
        with http.stream("GET", "/a", headers={"accept-encoding": "gzip"}) as answer:
            sent = b"".join(answer.iter_raw())
        assert gzip.decompress(sent) == bytes(megabytes << 20)
        assert len(sent) < 30 + megabytes * 2000

    def test_a_bomb_opens_while_it_is_read(self, web, http):
        web.page("/a", Bomb(2048))
        inflate, seen = zlib.decompressobj(wbits=31), 0
        with http.stream("GET", "/a") as answer:
            for part in answer.iter_raw():
                seen += len(inflate.decompress(part, 1 << 24))
                if seen > 1 << 23:
                    break
        assert answer.headers["content-encoding"] == "gzip"


class TestSearch:
    def test_hits_read_as_searxng_has_them(self, web, http):
        web.hits(Hit("https://example.org/a", "A", "about a"), Hit("https://example.org/b", "B"))
        body = http.get("/search", params={"q": "quorum size", "format": "json"}).json()
        assert body["query"] == "quorum size"
        assert [(hit["url"], hit["title"], hit["content"]) for hit in body["results"]] == [
            ("https://example.org/a", "A", "about a"),
            ("https://example.org/b", "B", ""),
        ]
        assert body["unresponsive_engines"] == []
        assert (web.queries, web.counts["/search"]) == (["quorum size"], 1)

    @pytest.mark.parametrize(
        ("query", "page", "found"),
        [("ü & more", "1", ["own"]), ("other", "1", ["any"]), ("other", "2", []), ("", "1", ["any"])],
    )
    def test_a_query_may_have_hits_of_its_own(self, web, http, query, page, found):
        web.hits(Hit("https://example.org/", "any"))
        web.hits(Hit("https://example.org/", "own"), query="ü & more")
        body = http.get("/search", params={"q": query, "format": "json", "pageno": page}).json()
        assert [hit["title"] for hit in body["results"]] == found

    def test_without_hits_nothing_is_found(self, http):
        assert http.get("/search?q=x&format=json").json()["results"] == []

    def test_other_formats_are_not_enabled(self, http):
        assert http.get("/search?q=x").status_code == 403

    def test_the_engine_can_fail(self, web, http):
        web.page("/search", Page("Too Many Requests", status=429), "<html>not JSON</html>")
        assert [http.get("/search?q=x&format=json").status_code for _ in range(2)] == [429, 200]
        assert web.queries == ["x", "x"]


def test_what_a_page_raises_reaches_the_test():
    def run():
        with WebServer() as web:
            web.page("/a", lambda request: request.body["absent"])
            assert httpx.get(web.url("/a"), **PLAIN).status_code == 500

    with pytest.raises(KeyError, match="absent"):
        run()
