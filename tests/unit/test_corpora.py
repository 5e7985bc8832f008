"""The catalogue against itself, and every corpus against what is known of it."""

import hashlib
import subprocess
import sys
from collections import Counter
from itertools import groupby

import pytest

from lmcourse import corpora, fetching
from lmcourse.corpora import Corpus, Pair, Rated, Tagged
from lmcourse.text import Vocabulary, tokenize

MODELS = {"minilm", "smollm2"}
COUNTS = {"google_unigrams", "google_bigrams"}
SPLIT = [name for name in corpora.catalogue() if name not in MODELS | COUNTS]


def load(name):
    """Load real data, or skip: no test downloads anything."""
    if not corpora.catalogue()[name].is_here:
        pytest.skip(f"{name} is not on this machine: lmcourse fetch {name}")
    return corpora.load(name)


# ------------------------------------------------------------------------ the catalogue


@pytest.mark.parametrize("name", corpora.catalogue())
def test_every_entry_is_complete(name):
    source = corpora.catalogue()[name]
    texts = (source.title, source.holds, source.citation, source.know)
    assert all(texts)
    assert source.archive.licence
    assert source.archive.not_covered
    assert source.files
    description = corpora.describe(name)
    assert all(text in description for text in texts)
    assert source.archive.filename in description


def test_every_entry_has_a_reader_and_every_reader_an_entry():
    assert set(corpora._READERS) == set(corpora.catalogue())
    splits = {source.split for source in corpora.catalogue().values()}
    assert splits == {*corpora._SPLITS, None}


def test_files_of_one_archive_have_names_of_their_own():
    for archive in {source.archive for source in corpora.catalogue().values()}:
        names = [file.name for file in archive.files]
        assert len(set(names)) == len(names), archive.filename


def test_archives_carry_their_version_and_a_digest():
    for archive in {source.archive for source in corpora.catalogue().values()}:
        assert f"-{archive.version}" in archive.filename
        for digest in (archive.sha256, *(file.sha256 for file in archive.files)):
            assert len(bytes.fromhex(digest)) == 32


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("nmaes", "names"),
        ("Names", "names"),
        ("War and Peace", "war_and_peace"),
        ("shakespear", "shakespeare"),
        ("google-bigrams", "google_bigrams"),
    ],
)
@pytest.mark.parametrize("function", [corpora.load, corpora.path, corpora.describe])
def test_an_unknown_name_suggests_the_nearest(function, wrong, meant):
    with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
        function(wrong)


@pytest.mark.parametrize("nonsense", ["", "zzzzz", None, 3, ["names"]])
def test_a_name_near_to_nothing_lists_all(nonsense):
    with pytest.raises(ValueError, match="There are names, surnames, war_and_peace"):
        corpora.load(nonsense)


def test_importing_loads_nothing_heavy():
    heavy = "{'numpy', 'torch', 'pandas', 'requests', 'pypi_simple', 'opencc', 'tqdm'}"
    script = f"import sys, lmcourse.corpora; sys.exit(str({heavy} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert done.stderr.strip() == b"set()"


# --------------------------------------------------------------------- the class Corpus

TEN = Corpus("ten", list(range(10)), ["train"] * 8 + ["dev", "test"])


def test_a_corpus_is_a_sequence_of_all_its_items():
    assert list(TEN) == list(range(10))
    assert TEN[2:4] == [2, 3]
    assert TEN[-1] == 9
    assert 9 in TEN
    assert next(reversed(TEN)) == 9
    assert repr(TEN) == "Corpus ten: 10 items (train 8, dev 1, test 1)"


def test_the_parts_hold_every_item_once():
    assert (TEN.train, TEN.dev, TEN.test) == (list(range(8)), [8], [9])


def test_mapping_keeps_the_parts():
    squares = TEN.map(lambda number: number**2)
    assert squares.test == [81]
    assert len(squares) == 10


def test_a_rating_of_zero_has_no_label():
    ratings = (Rated("", 0.2), Rated("", -3), Rated("", 0))
    assert [rated.label for rated in ratings] == [1, 0, None]


# ------------------------------------------------------- reading the files' own formats


def read(name, tmp_path, *contents):
    """Read small files as the corpus `name` reads its own."""
    paths = [tmp_path / f"{i}.txt" for i in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content.encode())
    return corpora._READERS[name](paths)


def test_names_in_two_lists_count_once(tmp_path):
    women, men = "MARY 2.6 2.6 1\nJAMES 0.1 99 2\n", "JAMES 3.3 3.3 1\n"
    assert read("names", tmp_path, women, men) == ["james", "mary"]


def test_a_word_may_hold_a_slash(tmp_path):
    lines = "１/２/m  强/a\n１/２/m  强/a\n好/a\n"
    assert read("peoples_daily", tmp_path, lines) == [
        Tagged(["１/２", "强"], ["m", "a"]),
        Tagged(["好"], ["a"]),
    ]


def test_surname_and_given_name_are_one_person(tmp_path):
    line = "李/nr  小龙/nr  在/p  北京/ns  上海/ns  新华社/nt\n"
    (tagged,) = read("peoples_daily_entities", tmp_path, line)
    assert "".join(tagged.words) == "李小龙在北京上海新华社"
    assert " ".join(tagged.tags) == (
        "B-PER I-PER I-PER O B-LOC I-LOC B-LOC I-LOC B-ORG I-ORG I-ORG"
    )


def test_reviews_rated_both_ways_and_repeats_are_left_out(tmp_path):
    good, bad = "很好\n 很好 \n缺点：\n\n", "缺点：\n太差\n\n"
    expected = [Rated("很好", 1.0), Rated("太差", -1.0)]
    assert read("chinese_reviews", tmp_path, good, bad) == expected


def test_the_first_of_two_ratings_stays(tmp_path):
    rows = "1\t2.5\tgreat\r\n2\t-1\tbad\r\n3\t1.5\tgreat"
    assert read("products", tmp_path, rows) == [Rated("great", 2.5), Rated("bad", -1.0)]


def test_a_lone_tab_ends_a_tweet_and_its_first_annotation_stays(tmp_path):
    rows = "to\tO\nRome\tB-geo-loc\n\t\nhi\tO\n\t\nto\tO\nRome\tO\n\t\n"
    assert read("ner_tweets", tmp_path, rows) == [
        Tagged(["to", "Rome"], ["O", "B-geo-loc"]),
        Tagged(["hi"], ["O"]),
    ]


def test_counts_of_repeated_pairs_add_up(tmp_path):
    rows = "of the\t5\nin the\t1\nof the\t7\n"
    counts = read("google_bigrams", tmp_path, rows)
    assert counts == {("of", "the"): 12, ("in", "the"): 1}


def test_pairs_that_meet_in_traditional_and_simplified_are_one(tmp_path):
    pytest.importorskip("opencc", reason="OpenCC is in the extra `neural`")
    rows = "\ufeff1\t我們試試看！\t5\tLet's try.\r\n2\t我们试试看！\t5\tLet's try.\r\n"
    assert read("tatoeba", tmp_path, rows) == [Pair("Let's try.", "我们试试看！")]


def test_without_opencc_the_next_step_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "opencc", None)
    with pytest.raises(ModuleNotFoundError, match="pip install opencc"):
        read("tatoeba", tmp_path, "1\t好\t2\tGood.\n")


def test_groups_join_pairs_that_share_a_sentence_indirectly():
    pairs = [Pair("a", "一"), Pair("b", "二"), Pair("c", "三"), Pair("a", "二")]
    numbers = corpora._groups(pairs)
    assert numbers[0] == numbers[1] == numbers[3] != numbers[2]


# --------------------------------------------------------------- all corpora, real data

SIZES = {  # all, training, dev, test
    "names": (5163, 4131, 516, 516),
    "surnames": (88799, 71040, 8880, 8879),
    "war_and_peace": (33389, 26712, 3339, 3338),
    "sherlock_holmes": (7293, 5835, 729, 729),
    "us_history": (11362, 9090, 1136, 1136),
    "shakespeare": (96241, 76993, 9624, 9624),
    "king_james_bible": (31030, 24830, 3100, 3100),
    "botchan": (3181, 2545, 318, 318),
    "peoples_daily": (19004, 15204, 1900, 1900),
    "peoples_daily_entities": (18994, 15196, 1899, 1899),
    "chinese_reviews": (17363, 13891, 1737, 1735),
    "film_reviews": (10603, 8103, 1000, 1500),
    "tweets": (4200, 3360, 420, 420),
    "products": (3697, 2958, 370, 369),
    "editorials": (5119, 4096, 512, 511),
    "ner_tweets": (2295, 1840, 230, 225),
    "tatoeba": (56390, 45125, 5667, 5598),
}


@pytest.mark.parametrize("name", SPLIT)
def test_sizes_are_those_of_the_catalogue(name):
    corpus = load(name)
    sizes = (len(corpus), len(corpus.train), len(corpus.dev), len(corpus.test))
    assert sizes == SIZES[name]
    assert f"{len(corpus):,}" in corpora.catalogue()[name].holds


BLOCKS = [n for n in SPLIT if corpora.catalogue()[n].split == "blocks"]


@pytest.mark.parametrize("name", BLOCKS)
def test_parts_are_contiguous_blocks(name):
    runs = [(part, len(list(run))) for part, run in groupby(load(name).parts)]
    assert [part for part, _ in runs] == ["train", "dev", "test"] * 10
    held_out = [length for part, length in runs if part != "train"]
    assert max(held_out) - min(held_out) <= 1


def key(item):
    """What must not stand in two parts: a text, whatever its rating or tags."""
    if isinstance(item, Tagged):
        return tuple(item.words)
    return item.text if isinstance(item, Rated) else item


@pytest.mark.parametrize("name", sorted(set(SPLIT) - set(corpora._Prose.__args__)))
def test_no_text_stands_in_two_parts(name):
    corpus = load(name)
    train, dev, test = ({*map(key, p)} for p in (corpus.train, corpus.dev, corpus.test))
    assert not train & dev
    assert not train & test
    assert not dev & test


def test_no_side_of_a_pair_stands_in_two_parts():
    corpus = load("tatoeba")
    for side in ("english", "chinese"):
        held_out = {getattr(pair, side) for pair in corpus.dev + corpus.test}
        assert held_out.isdisjoint(getattr(pair, side) for pair in corpus.train)


def test_two_loads_are_equal_and_independent():
    first = load("names")
    first.items.clear()
    assert len(load("names")) == 5163


def test_loading_what_is_here_asks_nobody(monkeypatch):
    load("names")

    def refuse(*_):
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(fetching, "_download", refuse)
    assert corpora.load("names").train == load("names").train


# --------------------------------------------------------------------------- one by one


def test_names_are_lower_case_and_sorted():
    names = load("names")
    assert list(names) == sorted(set(names))
    assert all(name.isascii() and name.isalpha() and name.islower() for name in names)
    assert {"mary", "james", "quentin"} <= set(names)


def test_war_and_peace_has_the_vocabulary_of_the_course():
    corpus = load("war_and_peace")
    vocabulary = Vocabulary(corpus.train, min_count=3)
    assert len(vocabulary) == 8189 + 1  # and <unk>
    test = [token for sentence in corpus.test for token in sentence]
    unknown = sum(token not in vocabulary for token in test)
    assert round(100 * unknown / len(test), 1) == 3.5


BOUNDS = {
    "war_and_peace": ("war and peace by leo", "of which we are not conscious ."),
    "sherlock_holmes": ("additional editing by", "has met with considerable success ."),
    "king_james_bible": ("in the beginning god", "be with you all . amen ."),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_a_text_starts_and_ends_where_it_should(name):
    corpus = load(name)
    opening, ending = BOUNDS[name]
    assert " ".join(corpus[0]).startswith(opening)
    assert " ".join(corpus[-1]).endswith(ending)


@pytest.mark.parametrize("name", sorted(corpora._Prose.__args__))
def test_prose_is_tokens_of_the_course_without_gutenbergs_licence(name):
    corpus = load(name)
    sample = corpus[:200] + corpus[-200:]
    assert all(tokenize(" ".join(sentence)) == sentence for sentence in sample)
    assert not any({"gutenberg", "trademark"} <= {*sentence} for sentence in corpus)
    tokens = sum(map(len, corpus))
    assert f"{tokens:,} tokens" in corpora.catalogue()[name].holds


@pytest.mark.parametrize(
    ("name", "train", "test"),
    [
        ("king_james_bible", "1e112c72", "71851edc"),
        ("botchan", "027a819f", "c3cec26f"),
    ],
)
def test_verses_and_sentences_equal_those_given_to_kenlm(name, train, test):
    """Digests of the files that KenLM's reference perplexities were measured on."""
    sentences = list(load(name))
    held_out = sentences[9::10]
    rest = [s for i, s in enumerate(sentences) if i % 10 != 9]
    vocabulary = Vocabulary(rest, min_count=2)
    for part, expected in ((rest, train), (held_out, test)):
        lines = (" ".join(vocabulary.replace_unknown(s)) + "\n" for s in part)
        digest = hashlib.sha256("".join(lines).encode()).hexdigest()
        assert digest.startswith(expected)


def test_peoples_daily_has_its_known_tags():
    load("peoples_daily")
    # All lines of the file, repeats included, as they were counted independently.
    text = corpora.path("peoples_daily").read_text("utf-8")
    tags = Counter(word.rpartition("/")[2] for word in text.split())
    assert (tags["ns"], tags["nt"], tags.total()) == (27890, 3573, 1121447)
    ours = Counter(tag for line in load("peoples_daily") for tag in line.tags)
    assert not ours - tags
    assert load("peoples_daily")[0].words[:3] == ["迈向", "充满", "希望"]


def test_entities_are_those_that_seqeval_finds():
    get_entities = pytest.importorskip(
        "seqeval.metrics.sequence_labeling", reason="seqeval is in the extra `bert`"
    ).get_entities
    by_text = {"".join(line.words): line for line in reversed(load("peoples_daily"))}
    found, expected = Counter(), Counter()
    for line in load("peoples_daily_entities"):
        assert len(line.words) == len(line.tags)
        found.update(kind for kind, _, _ in get_entities(line.tags))
        tags = by_text["".join(line.words)].tags
        expected.update(tag for tag in tags if tag in {"ns", "nt"})
        expected["nr"] += sum(tag == "nr" for tag, _ in groupby(tags))
    assert found["LOC"] == expected["ns"]
    assert found["ORG"] == expected["nt"]
    assert found["PER"] == expected["nr"]


def test_entities_are_split_in_the_order_of_the_newspaper():
    parts = load("peoples_daily_entities").parts
    assert [part for part, _ in groupby(parts)] == ["train", "dev", "test"]


def test_chinese_reviews_keep_both_classes_in_each_part():
    corpus = load("chinese_reviews")
    assert Counter(r.rating for r in corpus) == {1: 8332, -1: 9031}
    for part in (corpus.train, corpus.dev, corpus.test):
        share = sum(review.label for review in part) / len(part)
        assert share == pytest.approx(8332 / 17363, abs=0.001)


def test_film_reviews_have_their_known_ratings():
    ratings = [review.label for review in load("film_reviews")]
    # 5,242 and 5,326 in the file; each loses one repeat.
    assert Counter(ratings) == {1: 5241, 0: 5325, None: 37}


def test_film_reviews_keep_both_classes_in_each_part_and_along_the_file():
    corpus = load("film_reviews")
    for part in (corpus.train, corpus.dev, corpus.test):
        labels = Counter(review.label for review in part)
        share = labels[1] / (labels[0] + labels[1])
        assert share == pytest.approx(5241 / 10566, abs=0.001)
    assert not any(review.label is None for review in corpus.dev + corpus.test)
    for part in ("dev", "test"):
        tenths = Counter(
            10 * i // 10603 for i, p in enumerate(corpus.parts) if p == part
        )
        assert max(tenths.values()) <= 1.05 * min(tenths.values())


@pytest.mark.parametrize("name", ["film_reviews", "tweets", "products", "editorials"])
def test_ratings_lie_between_minus_four_and_four(name):
    assert all(-4 <= r.rating <= 4 and r.text == r.text.strip() for r in load(name))


def test_no_tweet_is_repeated():
    corpus = load("ner_tweets")
    assert len({tuple(line.words) for line in corpus}) == len(corpus)


def test_tweets_have_ten_kinds_of_entity_that_begin_with_b():
    kinds = set()
    for line in load("ner_tweets"):
        for before, tag in zip(["O", *line.tags], line.tags, strict=False):
            if tag.startswith("I-"):
                assert before[2:] == tag[2:]
            kinds.add(tag[2:])
    assert len(kinds - {""}) == 10


def test_tatoeba_is_simplified():
    text = "".join(pair.chinese for pair in load("tatoeba"))
    assert not set("們說這個來時會對") & set(text)
    assert set("们说这个来时会对") <= set(text)


def test_counts_of_the_web_are_complete():
    words, pairs = load("google_unigrams"), load("google_bigrams")
    assert (len(words), len(pairs)) == (333213, 258437)
    assert words["the"] == 23135851162
    rows = corpora.path("google_bigrams").read_text("utf-8").splitlines()
    assert pairs.total() == sum(int(row.rsplit("\t", 1)[1]) for row in rows)
    assert len(rows) == 286358
    assert all(words["the"] > count for count in pairs.values())


def test_a_model_is_a_path():
    for name, inside in (("minilm", "model.safetensors"), ("smollm2", "")):
        if corpora.catalogue()[name].is_here:
            assert (corpora.load(name) / inside).is_file()
            break
    else:
        pytest.skip("no model is on this machine: lmcourse fetch minilm")
