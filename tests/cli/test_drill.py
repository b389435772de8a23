"""`hub drill`: what is asked wrongly is said at once, with its place and mend; what came of a drill, for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.drill.report import FaultResult, NotApplicable, Report, SourceUsed
from hub.drill.run import Wanted
from hub.drill.verdict import Finding

CONFIGURATION = """\
hub: {name: tra-vinh, province: H59}
sources:
  a:
    adapter: files
    mappings: [one-stop-csv/dossier]
    settings: {folder: "${DROP}", pattern: "hoso-*.csv", media: csv}
destinations:
  provincial:
    adapter: lgsp
    mappings: {dossier.v1: lgsp/dossier}
    settings: {url: "${URL}", client_id: hub, client_secret: "${SECRET}"}
routes: [{kinds: [dossier.v1], to: [provincial]}]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "hub.yaml"
    file.write_text(CONFIGURATION, encoding="utf-8")
    return file


def changed(config: Path, old: str, new: str) -> str:
    text = config.read_text(encoding="utf-8")
    assert old in text
    config.write_text(text.replace(old, new), encoding="utf-8")
    return str(config)


def test_a_ledger_that_is_none_is_refused_before_anything_is_copied(hub: Any, config: Path, tmp_path: Path) -> None:
    ran = hub("drill", str(config), "--ledger", "foo", "--keep", str(tmp_path / "kept"))
    assert (ran.status, ran.out) == (2, "")
    assert "is neither sqlite:///FILE nor" in ran.err
    assert not (tmp_path / "kept").exists()


def test_everything_that_is_wrong_is_named_with_its_line(hub: Any, config: Path) -> None:
    changed(config, "lgsp/dossier", "lgsp/dosier")
    changed(config, "adapter: files", "adapter: file")
    ran = hub("drill", str(config), "--fault", "500-strom", "--skip-destination", "provinical", "--json")
    assert ran.status == 1
    said = ran.err
    assert "hub.yaml:4: there is no adapter 'file' [unknown-adapter] — did you mean 'files'?" in said
    assert "hub.yaml:10: there is no mapping 'lgsp/dosier'" in said
    assert "--fault: there is no '500-strom' [unknown-fault] — did you mean '500-storm'?" in said
    assert "--skip-destination: there is no 'provinical' [unknown-destination] — did you mean 'provincial'?" in said
    assert {one["rule"] for one in ran.json["problems"]} == {
        "unknown-adapter",
        "unknown-mapping",
        "unknown-fault",
        "unknown-destination",
    }


def test_a_variable_that_the_drill_does_not_do_without_is_missed(hub: Any, config: Path) -> None:
    ran = hub("drill", changed(config, "name: tra-vinh", 'name: "${NAME}"'))
    assert "the environment variable NAME is not set" in ran.err
    assert "DROP" not in ran.err
    assert "SECRET" not in ran.err


def test_a_folder_is_its_hub_yaml(hub: Any, config: Path) -> None:
    changed(config, "H59", "59")
    assert "hub.yaml:1: hub.province" in hub("drill", str(config.parent)).err
    assert "cannot be read" in hub("drill", str(config.parent / "elsewhere")).err


def test_a_source_without_samples_is_named(hub: Any, config: Path) -> None:
    ran = hub("drill", changed(config, "    settings: {folder", "    samples: recorded\n    settings: {folder"))
    assert ran.status == 1
    assert "hub.yaml:6: sources.a.samples: recorded holds no file [no-samples] — put files there" in ran.err
    (config.parent / "recorded").mkdir()
    (config.parent / "recorded" / "hoso-0001.csv").write_text("A;B\n1;2\n", encoding="utf-8")
    ran = hub("drill", str(config))
    assert "no record that a destination gets comes of its 1 samples [no-records] — see what becomes of them" in ran.err


def test_a_source_with_neither_samples_nor_tests_is_told_how_to_get_some(hub: Any, config: Path) -> None:
    shipped = Path(__file__).parents[2] / "mappings/catalogue/one-stop-csv"
    (config.parent / "mappings/own").mkdir(parents=True)
    text = (shipped / "dossier.yaml").read_text(encoding="utf-8")
    text = text.replace("mapping: one-stop-csv/dossier", "mapping: own/dossier")
    (config.parent / "mappings/own/dossier.yaml").write_text(
        text.replace("status: tables/status.yaml", 'status: {"4": 4}'), encoding="utf-8"
    )
    ran = hub("drill", changed(config, "one-stop-csv/dossier", "own/dossier"))
    assert "sources.a: there is nothing that it once sent" in ran.err
    assert "write samples: FOLDER in sources.a" in ran.err


def test_an_adapter_without_a_twin_is_named_and_may_be_left_out(
    hub: Any, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.drill.stand_ins.entry_points", lambda *, group: [])
    ran = hub("drill", str(config))
    assert ran.status == 1
    assert "hub.yaml:9: destinations.provincial: no twin stands for the adapter 'lgsp'" in ran.err
    assert "--skip-destination provincial" in ran.err
    assert "every destination is skipped" in hub("drill", str(config), "--skip-destination", "provincial").err


def test_a_bus_is_one_of_three(hub: Any, config: Path) -> None:
    ran = hub("drill", str(config), "--bus", "kafka")
    assert (ran.status, "is embedded, rabbitmq or an amqp:// address" in ran.err) == (2, True)


def test_what_is_kept_goes_into_an_empty_folder(hub: Any, config: Path) -> None:
    ran = hub("drill", str(config), "--keep", str(config.parent))
    assert (ran.status, "is not an empty folder" in ran.err) == (1, True)


# --- what came of it --------------------------------------------------------------------------------------------------


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Report:
    """A drill that was passed; `wanted` is what it was asked for."""
    report = Report("hub.yaml", "embedded", "sqlite", seconds=31.2, snapshots=1203, events=1, possibly_twice=2)
    report.faults = [FaultResult("429", "national", True, 48, 0.91), FaultResult("worker-kill", None, True, 12, 1.8)]
    report.not_applicable = [NotApplicable("broker-restart", None, "the embedded bus")]
    report.sources = [SourceUsed("a", "hoso-0001.csv", 400), SourceUsed("b", "buoc-0001.csv")]
    report.changed = ["timings shortened: destinations.national: deadline_s 30 → 1.5"]

    async def drill(wanted: Wanted, say: Any) -> Report:
        assert wanted.dossiers == 7
        say("429", 1, 2)
        return report

    monkeypatch.setattr("hub.drill.run.drill", drill)
    return report


def test_a_drill_that_was_passed_says_so(hub: Any, held: Report) -> None:
    ran = hub("drill", "--dossiers", "7")
    assert ran.status == 0
    assert "│ 429 with Retry-After │ national    │ yes       │        48 │           0.9 s │" in ran.out
    assert "not applicable: broker restart at the hub: the embedded bus" in ran.out
    assert "a: 400 dossiers made of hoso-0001.csv" in ran.out
    assert "b: steps made of buoc-0001.csv" in ran.out
    assert "timings shortened: destinations.national: deadline_s 30 → 1.5" in ran.out
    assert "1,203 revisions and 1 step served to the portals; lost 0, doubled 0, regressed 0, possibly twice 2" in (
        " ".join(ran.out.split())
    )
    assert ran.out.rstrip().endswith("The drill was passed, in 31 s.")


def test_json_has_the_counts_and_a_line_per_fault(hub: Any, held: Report) -> None:
    told = hub("drill", "--dossiers", "7", "--json").json
    assert {name: told[name] for name in ("lost", "doubled", "regressed", "possibly_twice", "ok")} == {
        "lost": 0,
        "doubled": 0,
        "regressed": 0,
        "possibly_twice": 2,
        "ok": True,
    }
    assert told["faults"][0] == {
        "fault": "429",
        "destination": "national",
        "exercised": True,
        "in_flight": 48,
        "recovered_after_s": 0.91,
    }
    assert told["not_applicable"] == [
        {"fault": "broker-restart", "destination": None, "reason": "the embedded bus"},
    ]


@pytest.mark.parametrize("what", ["lost", "doubled", "regressed", "altered"])
def test_what_is_wrong_at_a_portal_fails_it(hub: Any, held: Report, what: str) -> None:
    held.findings.append(Finding(what, "national", "dossier.v1", "H59-1", "never taken"))
    ran = hub("drill", "--dossiers", "7")
    assert ran.status == 1
    assert f"{what}: national: dossier.v1 H59-1: never taken" in ran.out
    assert hub("drill", "--dossiers", "7", "--json").json[what] == 1


def test_a_fault_that_met_nobody_fails_it(hub: Any, held: Report) -> None:
    held.faults[0].exercised, held.faults[0].in_flight = False, 0
    ran = hub("drill", "--dossiers", "7")
    assert ran.status == 1
    assert "not exercised: 429 at national met no message in flight — show it more" in " ".join(ran.out.split())


def test_a_fault_that_is_not_recovered_from_fails_it(hub: Any, held: Report) -> None:
    held.faults[1].recovered_after_s = None
    held.problems.append("round 2: not recovered within 60 s; still open: 3 waiting")
    held.open = 3
    ran = hub("drill", "--dossiers", "7")
    assert ran.status == 1
    assert "not recovered within 60 s; still open: 3 waiting" in ran.out
    assert "3 dispatches are still open" in ran.out
