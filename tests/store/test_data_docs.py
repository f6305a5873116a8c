"""Rewriting a page: what is known to be harmless stays, the rest goes, whatever the page holds."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from store.data_docs import make_offline, offline_page

PAGE = """<!DOCTYPE html><html><head><title>x</title>
<link rel="stylesheet" href="https://cdn.example.org/a.css">
<style>body { background: url('https://example.org/x.png') }</style>
<script src="https://cdn.example.org/a.js"></script></head>
<body onload="go()"><nav><img src="https://example.org/logo.png"><a href="../index.html">Home</a></nav>
<a href="https://example.org">away</a><a href="javascript:go()">run</a><a href="//example.org">also</a>
<a href="#part">part</a>
<div id="part" class="row" style="background: red" onclick="go()">a &lt;b&gt; &amp; c<br>d</div>
<iframe src="x"><p>in</p></iframe><template><p>hidden</p></template><p>after</p>
<footer><a href="https://example.org">news</a></footer></body></html>"""


def test_a_page_keeps_its_text_and_its_own_links():
    html = offline_page(PAGE, "STYLE", "SCRIPT")
    assert "<style>STYLE</style></head>" in html.replace("\n", "")
    assert "<script>SCRIPT</script></body>" in html
    assert '<a href="../index.html">Home</a>' in html and '<a href="#part">part</a>' in html
    assert "<a>away</a><a>run</a><a>also</a>" in html
    assert '<div id="part" class="row">a &lt;b&gt; &amp; c<br>d</div>' in html
    assert "<p>after</p>" in html
    for gone in ("example.org", "go()", "iframe", "hidden", "news", "red", ">in<"):
        assert gone not in html


def test_pages_are_rewritten_in_place_and_listed(tmp_path):
    (tmp_path / "validations" / "a b").mkdir(parents=True)
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "font.otf").write_bytes(b"x")
    for page in ("index.html", "validations/a b/one.html"):
        (tmp_path / page).write_text(PAGE, encoding="utf-8")
    assert make_offline(tmp_path) == 1
    assert not (tmp_path / "static").exists()
    assert 'href="validations/a%20b/one.html"' in (tmp_path / "index.html").read_text(encoding="utf-8")


class Census(HTMLParser):
    """Everything in a page that could fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str | None]] = []

    def handle_starttag(self, tag, attrs):
        if tag in {"script", "style", "img", "iframe", "svg", "link", "object", "embed", "base", "meta", "form"}:
            self.found.append((tag, "", ""))
        self.found += [
            (tag, name, value)
            for name, value in attrs
            if name.startswith("on") or name in {"src", "style", "srcdoc"} or (name == "href" and ":" in (value or ""))
        ]

    handle_startendtag = handle_starttag


PIECES = st.sampled_from(
    [
        "<script>",
        "</script>",
        "<img src=x onerror=y>",
        "<svg/onload=y>",
        "<p onclick='y'>",
        "</p>",
        "<a href='java\tscript:y'>",
        "<style>",
        "<b",
        ">",
        '"',
        "'",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<template>",
        "</template>",
        "&lt;script&gt;",
        "<base href=//x>",
        "text",
        "</body>",
    ]
)


@given(st.lists(PIECES, max_size=25).map("".join))
def test_no_markup_survives_that_could_fetch_or_run(noise):
    census = Census()
    census.feed(offline_page(f"<p>{noise}</p>", "", ""))
    census.close()
    assert [one for one in census.found if one != ("script", "", "")] == []
