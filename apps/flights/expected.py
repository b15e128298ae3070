"""What the app must find, computed another way: one SQL query each over the raw CSV files.

    python -m apps.flights.expected            prints all three

Definitions, which the app shares:

- A flight's event time is its scheduled departure. Flights are in order of (event time, carrier, flight), which
  is the order of the file, and total.
- Hours are tumbling windows of event time, in UTC, by airport. A mean is the sum over the count, not rounded;
  cancelled flights count as flights and have no delay.
- Weather is bad when one sees less than 3 miles, or it rains or snows, or the wind is above 25 miles an hour.
- An aircraft's legs are its departures in the data in order; cancelled flights are none. Each leg that ends three
  in a row, with strictly growing delays of 15 minutes or more, the first at most 24 hours before the third, is an
  alert: a run of four gives two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

DATA = Path(__file__).parent / "data"

DELAY_MEAN_MIN = 30
"""Minutes: the hourly mean delay from which bad weather makes an alert, of at least `DEPARTED_MIN` flights."""

DEPARTED_MIN = 10

LEG_DELAY_MIN = 15
"""Minutes: from here on the Bureau of Transportation Statistics calls a flight delayed."""

LEGS_WITHIN_HOURS = 24

_FLIGHT = """
    flight AS (
        SELECT *, CAST(time_hour AS TIMESTAMP) AS hour_start, hour_start + to_minutes(minute) AS scheduled
        FROM read_csv('flights_2013_01.csv.gz', nullstr = 'NA')
    )"""

_HOURLY = """
    hourly AS (
        SELECT
            origin AS airport,
            hour_start,
            count(*) AS flights,
            count(dep_delay) AS departed,
            CAST(sum(dep_delay) AS DOUBLE) / nullif(count(dep_delay), 0) AS delay_mean,
            max(dep_delay) AS delay_max
        FROM flight
        GROUP BY origin, hour_start
    )"""

HOURLY = f"""
WITH {_FLIGHT}, {_HOURLY}
FROM hourly ORDER BY hour_start, airport
"""

WEATHER_ALERTS = f"""
WITH {_FLIGHT}, {_HOURLY},
    weather AS (
        SELECT *, CAST(time_hour AS TIMESTAMP) AS hour_start
        FROM read_csv('weather_2013_01.csv.gz', nullstr = 'NA')
    )
SELECT
    airport, hourly.hour_start, flights, departed, delay_mean, delay_max,
    visib AS visibility_miles, precip AS precipitation_inches, wind_speed AS wind_mph
FROM hourly JOIN weather ON weather.origin = airport AND weather.hour_start = hourly.hour_start
WHERE departed >= {DEPARTED_MIN} AND delay_mean >= {DELAY_MEAN_MIN}
    AND (visib < 3 OR precip > 0 OR wind_speed > 25)
ORDER BY hourly.hour_start, airport
"""

AIRCRAFT_ALERTS = f"""
WITH {_FLIGHT},
    leg AS (
        SELECT
            *,
            lag(dep_delay, 2) OVER legs AS first_delay,
            lag(dep_delay) OVER legs AS second_delay,
            lag(scheduled, 2) OVER legs AS first_scheduled
        FROM flight
        WHERE dep_delay IS NOT NULL AND tailnum IS NOT NULL
        WINDOW legs AS (PARTITION BY tailnum ORDER BY scheduled, carrier, flight)
    ),
    plane AS (FROM read_csv('planes.csv.gz', nullstr = 'NA'))
SELECT
    tailnum, first_scheduled, scheduled, first_delay, second_delay, dep_delay AS third_delay,
    carrier, flight, origin, dest, manufacturer, model, plane.year AS built, seats
FROM leg LEFT JOIN plane USING (tailnum)
WHERE {LEG_DELAY_MIN} <= first_delay AND first_delay < second_delay AND second_delay < dep_delay
    AND scheduled - first_scheduled <= to_hours({LEGS_WITHIN_HOURS})
ORDER BY scheduled, carrier, flight
"""


def answer(query: str, data: Path = DATA) -> list[dict[str, Any]]:
    """The rows of one of the queries; times are in UTC."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET file_search_path = ?", [str(data)])
        found = connection.execute(query)
        names = [column[0] for column in found.description or []]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


if __name__ == "__main__":
    for title, query in (("hourly", HOURLY), ("weather alerts", WEATHER_ALERTS), ("aircraft alerts", AIRCRAFT_ALERTS)):
        rows = answer(query)
        print(f"{title}: {len(rows)}")
        for row in rows:
            print("  ", *row.values())
