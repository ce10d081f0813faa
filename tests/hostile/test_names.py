"""Names, ids and tokens: nothing escapes the store, and whatever stands in a name is shown as text.

The fixed strings go through everything; of the generated ones there are 5,000 in all.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConfigError, UnknownNameError
from core.runs import RUN_ID, Run, RunStore, clean_name, clean_tags
from core.tables import as_csv, as_latex, as_markdown
from pages.ui import differ, form, gallery, report, words
from tests.hostile.strings import NASTY

PARTS = st.sampled_from([text[:150] for text in NASTY]) | st.text(max_size=50) | st.from_regex(RUN_ID, fullmatch=False)
TEXTS = st.lists(PARTS, max_size=3).map("".join)
SPECIAL = set(r"\`*_{}[]()<>#+-.!|~$:&^=")


def everything_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A store without runs, and a file beside it that none of its ids may reach."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "20261123-194059-k3f9").mkdir()
    return RunStore(outside / "runs")


def assert_refused(store, run_id):
    for ask in (store.get, store.restore_discarded):
        with pytest.raises(UnknownNameError) as caught:
            ask(run_id)
        assert len(str(caught.value)) < 800


@pytest.mark.parametrize("number", range(len(NASTY)))
def test_what_is_no_id_opens_nothing(empty, number):
    assert_refused(empty, NASTY[number])


@given(TEXTS)
@settings(max_examples=1500)
def test_no_text_opens_anything(empty, text):
    assert_refused(empty, text)
    assert not empty.root.exists()


def test_a_run_keeps_any_name_and_tag_as_one_short_line(store, small):
    run = store.create(small)
    before = everything_below(store.root.parent)
    for text in NASTY:
        run.rename(text)
        run.tag([text, text, "own"])
        name, tags = Run(run.path).meta().name, Run(run.path).meta().tags
        for kept in (name, *tags):
            assert len(kept) <= 100
            assert kept.isprintable()
            assert kept == " ".join(kept.split())
        assert "own" in tags
        assert len(tags) <= 2
        assert Run(run.path).config == small
    assert everything_below(store.root.parent) == before


def test_a_run_is_made_with_any_name_and_its_folder_is_named_by_the_store(store, small):
    for text in NASTY[::10]:
        run = store.create(small, text)
        assert RUN_ID.match(run.id)
        assert run.name
    assert {path.parent for path in store.root.glob("*/config.json")} == {run.path for run in store.list()}
    assert [path.name for path in store.root.parent.iterdir()] == [store.root.name]


def test_any_token_of_a_form_stays_in_its_folder(store, small):
    for text in NASTY[::6]:
        run = store.create_once(small, "", text)
        assert store.create_once(small, "", text) is run
    inside = {path.name for path in store.root.iterdir()} - {run.id for run in store.list()}
    assert inside == {".tokens"}
    assert [path.name for path in store.root.parent.iterdir()] == [store.root.name]


@given(TEXTS)
@settings(max_examples=1000)
def test_any_text_becomes_a_name_and_tags_that_stay_as_they_are(text):
    name, tags = clean_name(text), clean_tags([text, text[::-1]])
    assert clean_name(name) == name
    assert name.isprintable()
    assert len(name) <= 100
    assert clean_tags(tags) == tags


def read_back(markdown):
    """What a Markdown parser reads of escaped text; nothing in it may be without its backslash."""
    found, place = [], 0
    while place < len(markdown):
        if markdown[place] == "\\":
            place += 1
            assert markdown[place] in SPECIAL
        else:
            assert markdown[place] not in SPECIAL
        found.append(markdown[place])
        place += 1
    return "".join(found)


MADE_LIVE = re.compile(  # by the browser, of text: links, icons, and arrows and their like between blanks
    r"https?://|www\.|[-.\w+]+@[-\w]+\.[-\w]+|:material[/_]|:streamlit:|(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)",
    re.IGNORECASE | re.ASCII,
)


def assert_shown_as_it_is(text):
    """Apart from joiners, which nobody sees, a parser reads the same text, with nothing that a browser makes live."""
    read = read_back(words.md(text))
    assert read.replace(words.JOINER, "") == text.replace(words.JOINER, "")
    assert not MADE_LIVE.search(read)


@pytest.mark.parametrize("number", range(len(NASTY)))
def test_a_nasty_text_is_shown_as_it_is(number):
    assert_shown_as_it_is(NASTY[number])


@given(TEXTS)
@settings(max_examples=1000)
def test_any_text_is_shown_as_it_is(text):
    assert_shown_as_it_is(text)
    assert words.bold(text) == f"**{words.md(text)}**"


class Tags(HTMLParser):
    """The elements of a page, and the text between them."""

    def __init__(self):
        super().__init__()
        self.found, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data):
        self.text.append(data)


def report_of(name):
    """A report in which a name stands wherever one can."""
    figure = {"data": [{"name": name}], "layout": {"title": {"text": name}}}
    verdict = f"{report.bold(name)} is better"
    facts = {name: {"config": {name: [name]}}}
    return report.html([["run", name], [name, "1"]], [verdict], {name: (figure, name)}, facts)


@pytest.fixture(scope="module")
def _without_plotly(tmp_path_factory):
    """Its five megabytes stand in every report; a line does here."""
    library = tmp_path_factory.mktemp("library") / "plotly.js"
    library.write_text("const Plotly = {}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "LIBRARY", library)
        yield


def elements(name):
    parser = Tags()
    parser.feed(report_of(name))
    parser.close()
    return parser


def assert_no_name_breaks_out(name):
    found = elements(name)
    assert found.found == elements("plain").found
    assert not name.strip() or name.strip() in "".join(found.text)


@pytest.mark.usefixtures("_without_plotly")
@pytest.mark.parametrize("number", range(len(NASTY)))
def test_no_nasty_name_breaks_out_of_a_report(number):
    assert_no_name_breaks_out(clean_name(NASTY[number]))


@pytest.mark.usefixtures("_without_plotly")
@given(TEXTS.map(clean_name))
@settings(max_examples=500)
def test_no_name_breaks_out_of_a_report(name):
    assert_no_name_breaks_out(name)


@given(TEXTS.map(clean_name))
@settings(max_examples=500)
def test_no_name_breaks_out_of_a_table(name):
    table = [["run", "accuracy"], [name, "1"]]
    rows = list(csv.reader(io.StringIO(as_csv(table))))
    assert [len(row) for row in rows] == [2, 2]
    assert rows[1][0].lstrip("'") == name.lstrip("'")
    assert rows[1][0][:1] not in ("=", "@") or rows[1][0] == ""
    lines = as_markdown(table).splitlines()
    assert [len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines] == [3, 3, 3]
    body = as_latex(table).splitlines()[4]
    assert len(re.findall(r"(?<!\\)&", body)) == 1
    assert not re.findall(r"(?<!\\)[%#_]", body)


@given(TEXTS)
@settings(max_examples=500)
def test_any_part_of_an_address_is_a_place_or_nothing(text):
    assert gallery._number(text) is None or gallery._number(text) < 10**9
    cell = differ.linked_cell(text, ["a", "b"])
    assert cell is None or max(cell) < 2
    with contextlib.suppress(ConfigError):
        assert 1 <= len(form.parse_seeds(text)) <= form.MOST_SEEDS
