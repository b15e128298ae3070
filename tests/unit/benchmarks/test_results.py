"""What the repeats of a benchmark add up to."""

from io import StringIO

from rich.console import Console

from benchmarks.results import Result, failures_of, ours_in, result_of, table_of


def line(rate, *, peak_mb=50.0, correct=True):
    return {
        "events_per_second": rate,
        "peak_rss_mb": peak_mb,
        "correct": correct,
        "answer": "7:abc",
        "versions": {"x": "1"},
    }


def test_a_result_is_the_median_rate_with_its_extremes_and_the_highest_peak():
    result = result_of("agent", "faust", 100, [line(30.0), line(10.0, peak_mb=80.0), line(20.0)])
    assert (result.events_per_second, result.events_per_second_min, result.events_per_second_max) == (20.0, 10.0, 30.0)
    assert result.peak_rss_mb == 80.0
    assert result.repeats == 3
    assert not result.failure


def test_one_wrong_answer_leaves_no_rate():
    result = result_of("agent", "faust", 100, [line(30.0), line(10.0, correct=False)])
    assert result.events_per_second is None
    assert failures_of([result]) == ["faust, agent: wrong answer 7:abc"]


def test_a_row_says_the_rate_over_streamflows_at_the_same_job():
    ours = result_of("agent", "streamflow", 100, [line(200.0)])
    other = result_of("window", "streamflow", 100, [line(1.0)])
    theirs = result_of("agent", "faust", 100, [line(10.0)])
    row = theirs.row({"cpu_count": 2}, ours_in([other, ours, theirs], "agent"))
    assert row["ratio_to_streamflow"] == 0.05
    assert row["cpu_count"] == 2


def test_without_a_rate_of_streamflow_there_is_no_ratio():
    failed = Result(job="agent", contender="streamflow", events=100, failure="no")
    theirs = result_of("agent", "faust", 100, [line(10.0)])
    assert theirs.row({}, ours_in([failed, theirs], "agent"))["ratio_to_streamflow"] is None


def test_the_table_shows_a_job_once_and_a_failure_as_dashes():
    results = [
        result_of("agent", "streamflow", 1000, [line(200_000.0)]),
        Result(job="agent", contender="faust", events=1000, failure="not installed: no network"),
    ]
    out = StringIO()
    Console(file=out, width=80).print(table_of(results))
    shown = out.getvalue()
    assert shown.count("agent") == 1
    assert "200,000" in shown
    assert "1.000" in shown
    assert "—" in shown.split("faust")[1]
