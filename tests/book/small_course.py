"""A small course that holds everything the book must cope with."""

import base64
import io
import shutil
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lmcourse.book import GLOSSARY_MARK
from lmcourse.chapters import CHECK_MIME, CLAIMS_MIME, FRAMES_MIME

ROOT = Path(__file__).parents[2]

# Every form of maths that the course uses, each with a piece of its MathML.
FORMULAS = {
    r"\frac{C(w_1 w_2)}{C(w_1)}": "<mfrac>",
    r"\sum_{i=1}^{n} x_i": "<munderover>",
    r"\begin{cases} 1 & x > 0 \\ 0 & \text{otherwise} \end{cases}": "<mtable",
    r"\begin{aligned} a &= b \\ c &= d \end{aligned}": "<mtable",
    r"\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}": "<mtable",
    r"\underbrace{P(w)}_{\text{语言模型}}": "语言模型",
    r"\operatorname*{arg\,max}_{\theta} L": "<munder>",
    r"\lVert x \rVert_2": "‖",
    r"\boldsymbol{\theta}": "𝜽",
    r"\left\{ \frac{1}{2} \right\}": "{",
}
MATHS = "\n\n".join(f"$${formula}$$" for formula in FORMULAS)

TRICKY = r"""### Text that looks like something else

It costs $5 and $6, or \$7. Inline $a*b*c$ and $x_{i}$_y_ and $P(w \mid h)$, then
`$code$`, ``a ` $tick$`` and **11.8**<!--=ppl_bigram-->.

| case | sign | value |
|---|---|---|
| pipe \| in text | $P(a | b)$ | 1.5 |
| norm | $\lVert x \rVert$ | 22.25 |

```text
{{#include ../secret.txt}} costs $x$ and {{braces}}

after a blank line
```

\begin{equation} H(p) = -\sum_x p(x) \log p(x) \label{entropy} \end{equation}

Equation $\eqref{entropy}$ is numbered, and 语言模型预测下一个词的概率。

> An ordinary quotation with a formula:
> $$
> a = b
> $$

> **Common mistake: the swapped pair.** Some write $P(w_2 \mid w_1)$ backwards.
>
> ```python
> wrong = counts[b][a]
> ```
"""

TERMS = """### New terms

| English | 中文 | Meaning |
|---|---|---|
| language model | 语言模型 | a rule that gives $P(w \\mid h)$ |
"""


def png(shade: int) -> str:
    """A small grey picture as base64."""
    from PIL import Image

    data = io.BytesIO()
    Image.new("L", (240, 90), shade).save(data, "png")
    return base64.b64encode(data.getvalue()).decode()


def shown(data: dict, metadata: dict | None = None) -> nbformat.NotebookNode:
    """A display_data output."""
    return new_output("display_data", data=data, metadata=metadata or {})


def figure(alt: str) -> nbformat.NotebookNode:
    """A picture as `lmcourse.show` stores it."""
    about = {"image/png": {"alt": alt, "width": 120}, "alt": alt}
    return shown({"image/png": png(200), "text/plain": "[figure]"}, about)


def sweep(label: str, frames: Iterable[dict]) -> nbformat.NotebookNode:
    """A slider as `lmcourse.sweep` stores it."""
    frames = list(frames)
    payload = {
        "label": label,
        "alt": "what the frames show",
        "values": [f"value {place}" for place in range(len(frames))],
        "frames": frames,
    }
    return shown({FRAMES_MIME: payload, "text/plain": "frame 0"})


def verdict(status: str) -> nbformat.NotebookNode:
    """What `lmcourse.check` displays."""
    content = {"exercise": "one", "status": status, "hint": None}
    return shown({CHECK_MIME: content, "text/html": f"<div>{status}</div>"})


def code(source: str, *outputs: nbformat.NotebookNode, tag: str | None = None):
    """A code cell that has run."""
    metadata = {"tags": [tag]} if tag else {}
    return new_code_cell(source, outputs=list(outputs), metadata=metadata)


def first_notebook() -> nbformat.NotebookNode:
    """Everything but a second notebook to link to."""
    table = """<div>
<style scoped>
    .dataframe tbody tr th { vertical-align: top; }
</style>

<table border="1" class="dataframe">
  <thead><tr style="text-align: right;"><th></th><th>count</th></tr></thead>

  <tbody><tr><th>*q*</th><td>54</td></tr></tbody>
</table>
</div>"""
    return new_notebook(
        cells=[
            new_markdown_cell("# 1 · A first page\n\nBy the end you can count."),
            code("profile = None", tag="parameters"),
            code("course = setup()", new_output("stream", text="cpu"), tag="setup"),
            new_markdown_cell(MATHS),
            new_markdown_cell(TRICKY),
            code("claim(ppl_bigram=11.8)", shown({CLAIMS_MIME: {"ppl": 11.8}})),
            code(
                'text = "{{#include x}}"\n\n\nprint(text)  # $x$ and *y*',
                new_output("stream", text="line one\n\n\n  $x$ *line* <two>\n"),
            ),
            code("table", shown({"text/html": table, "text/plain": "table"})),
            code("show(figure)", figure("A grey card")),
            new_markdown_cell("### Slide\n\nThree kinds of frames."),
            code("1", sweep("shade", [{"png": png(s), "width": 120} for s in (9, 99)])),
            code("2", sweep("text", [{"text": f"frame {n}\n\nend"} for n in (0, 1)])),
            code("3", sweep("html", [{"html": f"<b>bold {n}</b>"} for n in (0, 1)])),
            new_markdown_cell("Before.\n\n### Your turn\n\nWrite `count`."),
            code("def count():\n    ...", tag="exercise"),
            code('check("one", count)', verdict("not tried"), tag="check"),
            code(
                "#@title Solution\ndef count():\n    return 1",
                verdict("right"),
                tag="solution",
            ),
            new_markdown_cell(TERMS),
        ]
    )


def second_notebook() -> nbformat.NotebookNode:
    """Links in every direction."""
    links = (
        "# 2 · A second page\n\nSee [the exercise](01_first.ipynb#Your-turn), "
        "[here](#More-of-it), [the glossary](glossary.md), [home](README.md) and "
        "[the package](../pyproject.toml).\n\n### More of it\n\nProbability again."
    )
    row = "| Bigram | 二元语法 | two in a row |\n"
    return new_notebook(
        cells=[new_markdown_cell(links), new_markdown_cell(TERMS + row)]
    )


def write_course(folder: Path, **notebooks: nbformat.NotebookNode) -> Path:
    """Lay out a course of `notebooks` in `folder`, with the real book's settings."""
    source = folder / "notebooks"
    source.mkdir(parents=True)
    chapters = [f"- [{name}]({name}.ipynb)" for name in notebooks]
    lines = ["# Summary", "[Welcome](README.md)", "# Part", *chapters]
    lines += ["- [3 · Not written yet]()", "# Reference", "- [Glossary](glossary.md)"]
    (source / "SUMMARY.md").write_text("\n\n".join(lines), encoding="utf-8")
    (source / "README.md").write_text("# Welcome\n\nA small course.", encoding="utf-8")
    glossary = f"# Glossary\n\n{GLOSSARY_MARK}\n"
    (source / "glossary.md").write_text(glossary, encoding="utf-8")
    for name, notebook in notebooks.items():
        nbformat.write(notebook, source / f"{name}.ipynb")
    checkpoints = source / ".ipynb_checkpoints"
    checkpoints.mkdir()
    (checkpoints / "old.ipynb").write_text("{}", encoding="utf-8")
    for name in ("book.toml", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / "book").symlink_to(ROOT / "book")
    return folder
