"""config.yaml, as `check-data` reads it and as the rules check it."""

from malformed.case import cases


def checking(content):
    """Return the maker of a config.yaml."""

    def make(folder, _):
        (folder / "config.yaml").write_bytes(content)
        (folder / "published.yaml").write_text("{}")
        return [
            "check-data",
            "synthetic",
            "--config",
            str(folder / "config.yaml"),
            "--published",
            str(folder / "published.yaml"),
            "--output",
            str(folder / "out/x.csv"),
        ]

    return make


BROKEN = r"config\.yaml: cannot be read \(.*\); mend it, or name another file with --config"
CASES = cases(
    "config.yaml",
    [
        ("a tab", checking(b"datasets:\n\tx: {}\n"), BROKEN),
        ("a list", checking(b"- x\n"), r"config\.yaml: must be settings by name"),
        ("a section that is empty", checking(b"datasets:\n"), r"config\.yaml: datasets: must be"),
        ("bytes that are no text", checking(b"\xff\xfe\x00"), BROKEN),
        ("a quote that never ends", checking(b"data_root: 'x\n"), BROKEN),
        ("an object of Python", checking(b"data_root: !!python/object:os.x {}\n"), BROKEN),
        (
            "a data set without a layout",
            checking(b"datasets: {syntetic: {}}\n"),
            r"config\.yaml: datasets\.syntetic: the setting 'layout' is missing",
        ),
        (
            "a loop",
            checking(b"studies: {a: {extends: b}, b: {extends: a}}\n"),
            r"config\.yaml: studies\.\w\.extends: extends itself: a -> b -> a",
        ),
    ],
)

# What the rules refuse before anything runs: a change of config.yaml, and the line.
DEMO = "studies.demo"
CHANGES = {
    "an unknown key": ({"sead": 1}, r"config\.yaml: unknown setting 'sead'"),
    "a study that is a list": ({DEMO: []}, r"config\.yaml: studies\.demo: "),
    "an unknown study": ({"study": "dem"}, r"config\.yaml: study: unknown study 'dem'.*'demo'"),
    "an unknown method": ({f"{DEMO}.methods": ["tnet"]}, r"unknown method 'tnet'.*'tent'"),
    "an unknown data set": (
        {f"{DEMO}.streams": {"synthetik": ["semantic"]}},
        r"config\.yaml: studies\.demo: unknown dataset 'synthetik'.*'synthetic'",
    ),
    "an unknown task": (
        {f"{DEMO}.streams": {"synthetic": ["sematic"]}},
        r"config\.yaml: studies\.demo\.streams\.synthetic\.0: 'sematic' .*'semantic'",
    ),
    "seeds that are text": ({f"{DEMO}.seeds": ["one"]}, r"config\.yaml: studies\.demo\.seeds"),
    "a window below 1": ({"methods.online_ttt_mae.window": 0}, r"methods\.online_ttt_mae\.window"),
    "a step size that is text": (
        {"methods.tent.optimizer": {"learning_rate": "fast"}},
        r"config\.yaml: methods\.tent\.optimizer",
    ),
    "an encoder that is no name": (
        {"models": {"mine": {"like": "tiny", "encoder": {"name": "Res Net"}}}},
        r"config\.yaml: models\.mine\.encoder\.name: 'Res Net' is not allowed",
    ),
    "a model with the name of a preset": (
        {"models": {"tiny": {"like": "lite"}}},
        r"config\.yaml: models\.tiny: a preset has this name",
    ),
    "nothing at all": ({"studies": None}, r"config\.yaml: studies"),
}
