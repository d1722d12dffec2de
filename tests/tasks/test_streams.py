import itertools
import json
import tracemalloc

import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest

from interp_lab.tasks import Document, grammar_documents, read_documents, token_windows
from tests.tasks.reading import grammar_reader, piece_reader, reader, word_reader, word_tokenizer

TEXTS = ["a b c", "d e", "the capital of France"]


def write(folder, kind):
    path = folder / f"texts.{kind}"
    if kind == "txt":
        path.write_text("\n\n".join(TEXTS) + "\n")
    elif kind == "jsonl":
        path.write_text("".join(json.dumps({"text": text, "n": 1}) + "\n" for text in TEXTS))
    elif kind == "parquet":
        pd.DataFrame({"n": 1, "text": TEXTS}).to_parquet(path, row_group_size=1)
    else:
        import datasets

        datasets.Dataset.from_dict({"n": [1] * 3, "text": TEXTS}).save_to_disk(path)
    return path


class TestDocuments:
    @pytest.mark.parametrize("kind", ["txt", "jsonl", "parquet", "saved"])
    def test_are_the_same_from_every_kind_of_file(self, tmp_path, kind, capfd):
        path = write(tmp_path, kind)
        documents = list(read_documents(path))
        assert [document.text for document in documents] == TEXTS
        assert [document.id for document in documents] == [0, 1, 2]
        assert len({document.name for document in documents}) == 3
        assert list(read_documents(path)) == documents

    def test_of_a_folder_come_in_the_order_of_its_paths(self, tmp_path):
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "x.txt").write_text("three")
        (tmp_path / "a.jsonl").write_text('{"text": "one"}\n\n{"text": ""}\n{"text": "two"}\n')
        (tmp_path / "notes.md").write_text("not read")
        documents = list(read_documents(tmp_path))
        assert [(one.id, one.name, one.text) for one in documents] == [
            (0, "a.jsonl:1", "one"), (1, "a.jsonl:4", "two"), (2, "x.txt:1", "three"),
        ]  # fmt: skip

    def test_units_of_a_text_file(self, tmp_path):
        path = tmp_path / "x.txt"
        path.write_text("one\ntwo\n\n\nthree\n")
        found = {unit: [one.text for one in read_documents(path, unit=unit)] for unit in ("paragraph", "line", "file")}
        assert found == {
            "paragraph": ["one\ntwo", "three"], "line": ["one", "two", "three"], "file": ["one\ntwo\n\n\nthree\n"],
        }  # fmt: skip
        assert [one.name for one in read_documents(path)] == ["x.txt:1", "x.txt:5"]

    def test_another_column(self, tmp_path):
        path = tmp_path / "x.jsonl"
        path.write_text('{"body": "one"}\n')
        assert [one.text for one in read_documents(path, column="body")] == ["one"]

    def test_are_read_as_they_are_asked_for(self, tmp_path):
        path = tmp_path / "x.jsonl"
        path.write_text('{"text": "one"}\nbroken\n')
        documents = read_documents(path)
        assert next(documents).text == "one"
        with pytest.raises(ValueError, match=r"x\.jsonl:2: no JSON.*'broken'"):
            next(documents)

    def test_larger_than_what_is_held(self, tmp_path):
        path = tmp_path / "x.parquet"
        with pyarrow.parquet.ParquetWriter(path, pyarrow.schema([("text", pyarrow.string())])) as writer:
            for group in range(20):
                writer.write_table(pyarrow.table({"text": [f"{group} {n} " + "x" * 5000 for n in range(100)]}))
        list(itertools.islice(read_documents(path), 1))  # imports are not counted
        tracemalloc.start()
        longest = sum(len(one.text) for one in read_documents(path))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert longest > 10_000_000
        assert peak < 4_000_000

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ('{"text": "a"}\n{"text": 3}\n', r"x\.jsonl:2: 'text' must be text, got 3"),
            ('{"text": "a"}\n{"txt": "b"}\n', r"x\.jsonl:2: no 'text'; did you mean 'txt'"),
            ('["a"]\n', r"x\.jsonl:1: expected an object in braces, got list"),
            ('{"text": "a"', r"x\.jsonl:1: no JSON, .* at column 13"),
            ('{"text": " "}\n', "holds no text"),
        ],
    )
    def test_refuse_bad_lines_with_their_place(self, tmp_path, content, message):
        path = tmp_path / "x.jsonl"
        path.write_text(content)
        with pytest.raises(ValueError, match=message):
            list(read_documents(path))

    def test_refuse_what_they_cannot_read(self, tmp_path):
        with pytest.raises(ValueError, match=r"there is no .*nowhere"):
            read_documents(tmp_path / "nowhere")
        with pytest.raises(ValueError, match=r"no .txt, .jsonl, .parquet files"):
            read_documents(tmp_path)
        (tmp_path / "x.csv").write_text("a")
        with pytest.raises(ValueError, match=r"x\.csv is of no known kind"):
            read_documents(tmp_path / "x.csv")
        (tmp_path / "x.txt").write_bytes(b"fine\n\xff\xfe\n")
        with pytest.raises(ValueError, match=r"x\.txt is not UTF-8"):
            list(read_documents(tmp_path / "x.txt"))
        (tmp_path / "x.parquet").write_bytes(b"not parquet")
        with pytest.raises(ValueError, match=r"x\.parquet is no readable parquet"):
            list(read_documents(tmp_path / "x.parquet"))
        pd.DataFrame({"n": [1]}).to_parquet(tmp_path / "y.parquet")
        with pytest.raises(ValueError, match=r"y\.parquet: no 'text'; there are n"):
            list(read_documents(tmp_path / "y.parquet"))
        pd.DataFrame({"text": ["a", None]}).to_parquet(tmp_path / "z.parquet")
        with pytest.raises(ValueError, match=r"z\.parquet, row 1: 'text' must be text, got None"):
            list(read_documents(tmp_path / "z.parquet"))

    def test_refuse_a_folder_of_splits_and_name_them(self, tmp_path):
        import datasets

        data = datasets.DatasetDict({"train": datasets.Dataset.from_dict({"text": TEXTS})})
        data.save_to_disk(tmp_path / "d")
        with pytest.raises(ValueError, match=r"holds the splits train; give the folder of one, .*train"):
            read_documents(tmp_path / "d")
        assert [one.text for one in read_documents(tmp_path / "d" / "train")] == TEXTS


def documents(*texts):
    return [Document(10 + nth, "x", text) for nth, text in enumerate(texts)]


class TestWindows:
    """BOS 0 `<bos>`, EOS 1 `<eos>`; a, b, c, d, e follow each other."""

    def words(self, model, row):
        return " ".join(model.tokenizer.convert_ids_to_tokens(row.tolist()))

    def test_packed_by_hand(self):
        model = word_reader()
        (batch,) = token_windows(model, documents("a b c", "d e", "the capital of France"), length=4)
        assert [self.words(model, row) for row in batch.tokens] == [
            "<bos> a b c", "<bos> <eos> d e", "<bos> <eos> the capital", "<bos> of France <eos>",
        ]  # fmt: skip
        assert batch.documents.tolist() == [[-1, 10, 10, 10], [-1, -1, 11, 11], [-1, -1, 12, 12], [-1, 12, 12, -1]]
        assert batch.places.tolist() == [[-1, 0, 1, 2], [-1, -1, 0, 1], [-1, -1, 0, 1], [-1, 2, 3, -1]]

    def test_one_document_a_window_by_hand(self):
        model = word_reader()
        (batch,) = token_windows(model, documents("a b c d e", "d", "e a b"), length=3, packed=False)
        assert [self.words(model, row) for row in batch.tokens] == ["<bos> a b", "<bos> c d", "<bos> e a"]
        assert batch.documents.tolist() == [[-1, 10, 10], [-1, 10, 10], [-1, 12, 12]]
        assert batch.places.tolist() == [[-1, 0, 1], [-1, 2, 3], [-1, 0, 1]]

    def test_without_bos_the_whole_window_is_text(self):
        model = reader(word_tokenizer(list("abcde"), bos=False))
        (batch,) = token_windows(model, documents("a b c d e"), length=3)
        assert [self.words(model, row) for row in batch.tokens] == ["a b c", "d e <eos>"]

    def test_every_token_is_that_of_its_document_and_place(self):
        model = piece_reader()
        texts = [f"The {noun} of {n} was good and Mary gave it to John" * (n % 4 + 1) for n, noun in
                 itertools.product(range(30), ("war", "project"))]  # fmt: skip
        stream = documents(*texts)
        own = {one.id: model.tokenizer(one.text, add_special_tokens=False)["input_ids"] for one in stream}
        seen = set()
        for batch in token_windows(model, stream, length=16, batch_size=7):
            assert batch.tokens.shape[1] == 16
            inside = batch.documents >= 0
            for token, document, place in zip(
                *(part[inside].tolist() for part in (batch.tokens, batch.documents, batch.places)), strict=True
            ):
                assert own[document][place] == token
                assert (document, place) not in seen
                seen.add((document, place))
        assert sum(map(len, own.values())) - 16 < len(seen)

    def test_the_grammar_is_packed_as_organisms_are_trained(self):
        model = grammar_reader()
        texts = grammar_documents(6, seed=0)
        (batch,) = token_windows(model, texts, length=40)
        joined = " <|end|> ".join(one.text for one in texts)
        assert self.words(model, batch.tokens[0]) == " ".join(["<|bos|>", *joined.split()[:39]])

    def test_an_endless_stream_is_no_trouble(self):
        endless = (Document(n, "x", "a b c d") for n in itertools.count())
        batches = token_windows(word_reader(), endless, length=8, batch_size=2)
        assert [len(next(batches)) for _ in range(3)] == [2, 2, 2]

    def test_the_batch_size_changes_nothing(self):
        model, texts = grammar_reader(), grammar_documents(40, seed=1)
        rows = [
            [row for batch in token_windows(model, texts, length=16, batch_size=size) for row in batch.tokens.tolist()]
            for size in (1, 7, 1000)
        ]
        assert rows[0] == rows[1] == rows[2]

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"length": 65}, "length=65 must be above 1 .* at most 64"),
            ({"length": 1}, "length=1 must be above 1"),
            ({"length": 8, "batch_size": 0}, "batch_size=0"),
        ],
    )
    def test_refuse_before_anything_is_read(self, settings, message):
        with pytest.raises(ValueError, match=message):
            token_windows(word_reader(), documents("a"), **settings)

    def test_refuse_text_that_fills_no_window(self):
        with pytest.raises(ValueError, match="does not fill one window of 32"):
            list(token_windows(word_reader(), documents("a b"), length=32))
