"""The written page of one table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from s2igan.comparison.costs_section import Spendings, costs_section, machines
from s2igan.comparison.differences import compare, differences_table
from s2igan.comparison.figures import FURTHER, RESAMPLES, TABLE_1, Column, Entry, present
from s2igan.comparison.markdown import MISSING, difference_cell, number, summary_cell, table
from s2igan.comparison.outcome import Failure
from s2igan.comparison.picture import systems_picture
from s2igan.comparison.protocol import absences, protocol_section
from s2igan.comparison.published import OURS, published_section
from s2igan.comparison.variants import TableList
from s2igan.engine.folders import write_whole
from s2igan.engine.pictures import save_png

_READING = (
    "Mean over seeds ± standard deviation over seeds; in brackets the 95 % interval over test "
    "classes, which says how far the choice of classes moves a figure and nothing about another "
    "training. Chance depends on the pictures of an experiment: where experiments differ, the "
    "smallest and the largest level. ↓: lower is better."
)
_PAIRED = (
    f"Row minus reference, over the seeds that both have: 95 % bootstrap over test classes, "
    f"{RESAMPLES:,} draws, the same classes drawn for both rows. Bold where the interval does not "
    "hold zero. It holds the choice of test classes alone: two trainings of one system differ too, "
    "so a difference below the spread of the reference's own seeds says little, most of all of a "
    "row of one seed."
)
_UNPAIRED = (
    "FID, KID and IS belong to whole sets of pictures and have no class-wise form: below stand the "
    "mean difference over the common seeds and, of several seeds, the smallest and the largest."
)
_CONTROLS = {
    "generated": "pictures of the same utterances, drawn from their own speech",
    "mismatched_speech": "pictures drawn from another class's speech",
    "retrieved_training_pictures": "training pictures that SEN retrieves",
    "real": "real test pictures",
}
_CONTROL_FIGURES = {
    "mAP": "mAP",
    "FID ↓": "FID",
    "keywords, all": "keywords/all",
    "keywords, colours": "keywords/colours",
}


@dataclass(frozen=True)
class Page:
    """Everything that the page is made of.

    Args:
        listed: the list.
        entries: the rows that have outcomes, in their order.
        failures: experiments that have none.
        stages: names of all stages, in their order.
        spendings: costs by row.
    """

    listed: TableList
    entries: Sequence[Entry]
    failures: Sequence[Failure]
    stages: Sequence[str]
    spendings: Spendings

    @property
    def reference(self) -> Entry | None:
        """The row of reference, if it has an outcome."""
        return next((e for e in self.entries if e.name == self.listed.reference), None)

    @property
    def _protocol_row(self) -> Entry:
        return self.reference or self.entries[0]

    def write(self, path: Path) -> list[Path]:
        """Write the page, and beside it the picture and the table of differences, if it has them.

        Those of an earlier page under this name that this one has not are removed.

        Returns:
            What was written, the page first.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        beside: list[Path] = []
        picture_path = path.with_name(f"{path.stem}-systems.png")
        if (picture := systems_picture(self.entries)) is None:
            picture_path.unlink(missing_ok=True)
        else:
            save_png(picture_path, picture)
            beside.append(picture_path)
        differences_path = path.with_name(f"{path.stem}-differences.tsv")
        if self.reference is None or len(self.entries) == 1:
            differences_path.unlink(missing_ok=True)
        else:
            differences = differences_table(self.entries, self.reference)
            write_whole(differences_path, differences.encode())
            beside.append(differences_path)
        write_whole(path, ("\n".join(self._lines(beside)) + "\n").encode())
        return [path, *beside]

    def _lines(self, beside: Sequence[Path]) -> list[str]:
        picture = next((file.name for file in beside if file.suffix == ".png"), None)
        differences = next((file.name for file in beside if file.suffix == ".tsv"), None)
        parts = [
            (self.listed.title, self._opening()),
            ("Figures", self._figures()),
            ("Differences", self._differences(differences)),
            ("The same sentences and noise", [f"![One row per system]({picture})"] * bool(picture)),
            ("Controls", self._controls()),
            ("Published figures", self._published()),
            ("Cost", costs_section(self.entries, self.stages, self.spendings)),
            ("Protocol", protocol_section(self._shown(), self.entries, self._protocol_row)),
        ]
        lines: list[str] = []
        for level, (title, body) in enumerate(parts):
            if body:
                lines += [f"{'##' if level else '#'} {title}", "", *body, ""]
        return lines[:-1]

    def _opening(self) -> list[str]:
        number_of = sum(len(entry.outcomes) for entry in self.entries)
        told = [f"{number_of} experiments of {len(self.entries)} rows."]
        if made_on := machines(self.spendings):
            told.append(f"Made on {'; '.join(made_on)}.")
        lines = [" ".join(self.listed.caption.split()), "", " ".join(told)]
        if self.failures:
            lines += ["", "**Missing from the tables:**", ""]
            lines += [f"* {failed.variant.name}: {failed.reason}" for failed in self.failures]
        return lines

    def _shown(self) -> list[Column]:
        return present((*TABLE_1, *FURTHER), self.entries)

    def _figures(self) -> list[str]:
        lines = [_READING]
        for columns in (TABLE_1, FURTHER):
            if shown := present(columns, self.entries):
                lines += ["", *self._table(shown)]
        notes = [f"* {entry.title}: {entry.note}" for entry in self.entries if entry.note]
        missing = absences((*TABLE_1, *FURTHER), self._protocol_row)
        return [*lines, *([""] if notes or missing else []), *notes, *missing]

    def _table(self, columns: Sequence[Column]) -> list[str]:
        rows = [
            [
                entry.title,
                str(len(entry.outcomes)),
                *(summary_cell(entry.summary(column.path)) for column in columns),
            ]
            for entry in self.entries
        ]
        chances = [self._chance(column) for column in columns]
        if any(chance != MISSING for chance in chances):
            rows.append(["*chance*", "", *chances])
        first = self._protocol_row.first
        floors = [first.value(column.floor) if column.floor else None for column in columns]
        if any(floor is not None for floor in floors):
            cells = [MISSING if floor is None else number(floor) for floor in floors]
            rows.append(["*real pictures*", "", *cells])
        return table(["", "seeds", *(column.title for column in columns)], rows)

    def _chance(self, column: Column) -> str:
        """Return the level of chance, or its range where it depends on what a model draws."""
        told = [
            float(figure["chance"])
            for entry in self.entries
            for outcome in entry.outcomes.values()
            if (figure := outcome.figure(column.path)) is not None and "chance" in figure
        ]
        ends = dict.fromkeys(number(end) for end in (min(told), max(told))) if told else [MISSING]
        return " – ".join(ends)

    def _differences(self, file: str | None) -> list[str]:
        reference = self.reference
        if reference is None:
            return [f"The row of reference, {self.listed.reference}, has no outcome."]
        others = [entry for entry in self.entries if entry is not reference]
        if not others:
            return []
        found = {
            (entry.name, column.path): compare(entry, reference, column.path)
            for entry in others
            for column in self._shown()
        }
        class_wise = {path for (_, path), one in found.items() if one is not None and one.paired}
        paired = [column for column in self._shown() if column.path in class_wise]
        whole = [column for column in TABLE_1 if column.path.startswith("fidelity/")]
        lines = [f"Reference: {reference.title}. {_PAIRED}"]
        for columns, saying in ((paired, None), (present(whole, others), _UNPAIRED)):
            if columns:
                rows = [
                    [
                        e.title,
                        str(len(e.outcomes.keys() & reference.outcomes.keys())),
                        *(difference_cell(found[e.name, c.path]) for c in columns),
                    ]
                    for e in others
                ]
                rows += _seed_spread(reference, columns)
                lines += ["", *([saying, ""] if saying else [])]
                lines += table(["", "seeds", *(column.title for column in columns)], rows)
        return [*lines, "", f"Every class-wise figure: [{file}]({file})."]

    def _controls(self) -> list[str]:
        entry = self._protocol_row
        rows = []
        for name, title in _CONTROLS.items():
            paths = [f"controls/{name}/{path}" for path in _CONTROL_FIGURES.values()]
            cells = [summary_cell(entry.summary(path)) for path in paths]
            if any(cell != MISSING for cell in cells):
                rows.append([title, *cells])
        if not rows:
            return []
        return [f"Of {entry.title}.", "", *table(["", *_CONTROL_FIGURES], rows)]

    def _published(self) -> list[str]:
        ours: dict[str, dict[str, float]] = {}
        for entry in self.entries:
            summaries = {name: entry.summary(path) for name, (path, _) in OURS.items()}
            ours[entry.name] = {
                name: summary.mean * OURS[name][1]
                for name, summary in summaries.items()
                if summary is not None
            }
        params = self._protocol_row.first.variant.params
        return published_section(params.corpus.kind, params, ours)


def _seed_spread(reference: Entry, columns: Sequence[Column]) -> list[list[str]]:
    """Return how far the reference's own seeds lie apart, the measure of a row of one seed."""
    if len(reference.outcomes) < 2:
        return []
    cells = []
    for column in columns:
        summary = reference.summary(column.path)
        values = summary.values.values() if summary else []
        cells.append(number(max(values) - min(values)) if values else MISSING)
    return [["*reference's seeds, largest − smallest*", str(len(reference.outcomes)), *cells]]
