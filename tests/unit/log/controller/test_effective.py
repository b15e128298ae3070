from __future__ import annotations

from streamflow.log.controller.configs import Setting
from streamflow.log.controller.effective import (
    TOPIC_DEFAULTS,
    BrokerConfig,
    Kind,
    Source,
    effective_broker,
    effective_topic,
    kind_of,
    topic_config,
)

NAME, BROKERS = "retention.ms", "log.retention.ms"
LAYERS = {
    "own": {BROKERS: "2"},
    "all_brokers": {BROKERS: "3"},
    "static": {BROKERS: "4"},
}


def test_the_strongest_that_is_set_holds() -> None:
    default = str(7 * 86_400_000)
    for value, source, config, layers in [
        ("1", Source.DYNAMIC_TOPIC_CONFIG, {NAME: "1"}, ("own", "all_brokers", "static")),
        ("2", Source.DYNAMIC_BROKER_CONFIG, {}, ("own", "all_brokers", "static")),
        ("3", Source.DYNAMIC_DEFAULT_BROKER_CONFIG, {}, ("all_brokers", "static")),
        ("4", Source.STATIC_BROKER_CONFIG, {}, ("static",)),
        (default, Source.DEFAULT_CONFIG, {}, ()),
    ]:
        broker = BrokerConfig(**{name: LAYERS[name] for name in layers})
        found = next(e for e in effective_topic(config, broker) if e.setting.name == NAME)
        assert (found.value, found.source) == (value, source)
        assert topic_config(config, broker).get(NAME, default) == value


def test_synonyms_are_every_place_the_value_may_come_from() -> None:
    broker = BrokerConfig(own={BROKERS: "2"}, static={BROKERS: "4"})
    found = next(e for e in effective_topic({NAME: "1"}, broker) if e.setting.name == NAME)
    assert [(s.name, s.value, int(s.source)) for s in found.synonyms] == [
        (NAME, "1", 1),
        (BROKERS, "2", 2),
        (BROKERS, "4", 4),
        (BROKERS, str(7 * 86_400_000), 5),
    ]


def test_a_default_no_broker_has_a_name_for_has_no_synonyms() -> None:
    found = next(e for e in effective_topic({}, BrokerConfig()) if e.setting.name == "remote.storage.enable")
    assert (found.value, found.synonyms) == ("false", ())


def test_every_setting_of_a_topic_is_shown_once() -> None:
    names = [e.setting.name for e in effective_topic({}, BrokerConfig())]
    assert len(set(names)) == len(names)
    assert sorted(names) == names


def test_a_brokers_setting_is_read_only_unless_it_is_dynamic() -> None:
    found = effective_broker(TOPIC_DEFAULTS, BrokerConfig(static={BROKERS: "4"}), {BROKERS})
    by_name = {e.setting.name: e for e in found}
    assert (by_name[BROKERS].value, by_name[BROKERS].source) == ("4", Source.STATIC_BROKER_CONFIG)
    assert not by_name[BROKERS].read_only
    assert by_name["message.max.bytes"].read_only


def test_a_settings_kind_is_kafkas() -> None:
    def kind(default: bool | int | float | str, **more: int | bool) -> Kind:
        return kind_of(Setting(field="f", name="n", default=default, unit="", reason="", **more))  # type: ignore[arg-type]

    assert [kind(True), kind("x"), kind("x", many=True), kind(1), kind(1, most=9), kind(0.5)] == [
        Kind.BOOLEAN,
        Kind.STRING,
        Kind.LIST,
        Kind.LONG,
        Kind.INT,
        Kind.DOUBLE,
    ]
