"""Finding the right bcc, and handing it a source with the right line numbers."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tfotop.sources import compiler, layout
from tfotop.sources.btf import Member
from tfotop.sources.compiler import Refused


@pytest.fixture(autouse=True)
def no_bcc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Neither the distribution's nor anybody else's; none is left behind."""
    monkeypatch.setattr(compiler, "DISTRIBUTION", (str(tmp_path / "dist-packages"),))
    monkeypatch.setattr(compiler, "Path", lambda path: tmp_path / path.lstrip("/"))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site-packages")])
    monkeypatch.delitem(sys.modules, "bcc", raising=False)
    yield
    sys.modules.pop("bcc", None)


def install(place: Path, source: str) -> None:
    package = place / "bcc"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(source)


RIGHT, WRONG = "class BPF: pass\n", "class Lattice: pass\n"


def test_the_distributions_bcc_is_found_from_any_interpreter(tmp_path: Path) -> None:
    install(tmp_path / "dist-packages", RIGHT)
    assert compiler.import_bcc().BPF


def test_fedoras_place_is_found_too(tmp_path: Path) -> None:
    install(tmp_path / "usr/lib/python3.12/site-packages", RIGHT)
    assert compiler.import_bcc().__file__.startswith(str(tmp_path / "usr/lib/python3.12"))


def test_pypis_bcc_on_the_path_does_not_stand_in_the_way(tmp_path: Path) -> None:
    install(tmp_path / "site-packages", WRONG)
    install(tmp_path / "dist-packages", RIGHT)
    assert compiler.import_bcc().BPF


def test_pypis_bcc_alone_is_refused_with_what_to_do(tmp_path: Path) -> None:
    install(tmp_path / "site-packages", WRONG)
    with pytest.raises(Refused) as refused:
        compiler.import_bcc()
    assert refused.value.text == "the Python package 'bcc' found here is the unrelated one from PyPI"
    assert (refused.value.remedy or "").startswith("pip uninstall bcc, and install python3-bpfcc")


def test_no_bcc_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        compiler.import_bcc()
    assert (refused.value.text, refused.value.remedy) == ("bcc is not installed", f"install {compiler.BCC_PACKAGES}")


def test_an_empty_directory_of_that_name_is_not_bcc(tmp_path: Path) -> None:
    (tmp_path / "site-packages/bcc").mkdir(parents=True)
    with pytest.raises(Refused, match="bcc is not installed"):
        compiler.import_bcc()


@pytest.mark.parametrize("error", ["ImportError('no _bcc')", "OSError('libbcc.so.0: cannot open shared object file')"])
def test_a_bcc_that_does_not_load_says_why(tmp_path: Path, error: str) -> None:
    install(tmp_path / "dist-packages", f"raise {error}\n")
    with pytest.raises(Refused, match=r"^bcc does not load: (no _bcc|libbcc.so.0: cannot open)"):
        compiler.import_bcc()


# The source


def test_an_included_header_is_put_in_place_with_its_lines_numbered(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text('int a;\n#include "one.h"\nint b;\n#include <uapi/linux/bpf.h>\n')
    (tmp_path / "one.h").write_text('int c;\n#include "two.h"\n')
    (tmp_path / "two.h").write_text("int d;\n")
    assert compiler.source_text(tmp_path, "main.c").splitlines() == [
        '#line 1 "main.c"',
        "int a;",
        '#line 1 "one.h"',
        "int c;",
        '#line 1 "two.h"',
        "int d;",
        '#line 3 "one.h"',
        '#line 3 "main.c"',
        "int b;",
        "#include <uapi/linux/bpf.h>",
    ]


REAL = Path(__file__).parents[3] / "bpf"


def test_every_line_of_the_sensor_has_its_place() -> None:
    name, number, checked = "", 0, set()
    for line in compiler.source_text(REAL).splitlines():
        marker = re.fullmatch(r'#line (\d+) "(.+)"', line)
        if marker:
            number, name = int(marker[1]) - 1, marker[2]
            continue
        number += 1
        assert (REAL / name).read_text().splitlines()[number - 1] == line
        checked.add(name)
    assert checked == {path.name for path in REAL.iterdir() if path.is_file()}


# What is compiled in


OPTIONS = {"MAX_PEERS": 16, "RECORDS_PER_S": 0}


def test_sizes_secrets_and_offsets_are_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    members = {"NET": Member(48, "void *"), "INUM": Member(160, "u32")}
    monkeypatch.setattr(compiler, "Btf", lambda _libbpf: SimpleNamespace(offsets=lambda: members))
    flags, (first, second), missing = compiler.definitions(None, OPTIONS)
    assert missing is None
    assert set(flags) == {
        *("-DMAX_PEERS=16", "-DRECORDS_PER_S=0"),
        *(f"-DCOOKIE_SECRET_0={first}ULL", f"-DCOOKIE_SECRET_1={second}ULL"),
        *("-DHAVE_BTF=1", "-DOFF_NET=48", "-DTYPE_NET=void *", "-DOFF_INUM=160", "-DTYPE_INUM=u32"),
    }


@pytest.mark.parametrize("error", [OSError("the kernel has no BTF"), KeyError("net.ipv4")])
def test_without_btf_the_rest_is_defined_and_the_reason_told(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing_btf(_libbpf: object) -> None:
        raise error

    monkeypatch.setattr(compiler, "Btf", missing_btf)
    flags, _, missing = compiler.definitions(None, OPTIONS)
    assert (len(flags), missing) == (4, f"no reasons and no namespaces: {error}")


def test_each_run_has_secrets_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "Btf", lambda _libbpf: SimpleNamespace(offsets=dict))
    seen = [number for _ in range(3) for number in compiler.definitions(None, {})[1]]
    assert len(set(seen)) == len(seen)


class Bcc:
    """As much of bcc as compiling needs; tables are of the sizes given."""

    def __init__(self, sizes: dict[str, tuple[int, int]] | Exception) -> None:
        self.sizes = sizes
        self.table = SimpleNamespace(ct=SimpleNamespace(sizeof=lambda size: size))

    def BPF(self, text: bytes, cflags: list[str]) -> dict[str, SimpleNamespace]:  # noqa: N802  bcc's name
        assert text.startswith(b'#line 1 "handshake.bpf.c"')
        if isinstance(self.sizes, Exception):
            raise self.sizes
        return {name: SimpleNamespace(Key=key, Leaf=value) for name, (key, value) in self.sizes.items()}


@pytest.fixture
def checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "source_directory", lambda: REAL)
    monkeypatch.setenv("BCC_KERNEL_SOURCE", "")


@pytest.mark.usefixtures("checkout")
def test_tables_of_the_expected_layout_are_taken() -> None:
    assert set(compiler.compile_sensor(Bcc(layout.TABLES), [])) == set(layout.TABLES)
    assert compiler.os.environ["BCC_KERNEL_SOURCE"] == str(REAL)


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("name", layout.TABLES)
def test_a_table_of_another_layout_is_refused(name: str) -> None:
    key, value = layout.TABLES[name]
    with pytest.raises(Refused, match=f"^layout of table {name}: "):
        compiler.compile_sensor(Bcc({**layout.TABLES, name: (key, value + 4)}), [])


@pytest.mark.usefixtures("checkout")
def test_a_refused_compilation_says_what_is_needed() -> None:
    with pytest.raises(Refused, match=r"^bpf\(2\) refused the sensor: Failed to compile") as refused:
        compiler.compile_sensor(Bcc(Exception("Failed to compile")), [])
    assert refused.value.remedy == compiler.NEEDS


def test_the_checkout_has_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "Path", Path)
    assert compiler.source_directory() == REAL


def test_a_package_without_its_source_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compiler, "Path", lambda _file: tmp_path / "tfotop/sources/compiler.py")
    with pytest.raises(Refused, match="not installed with tfotop"):
        compiler.source_directory()
    (tmp_path / "tfotop/bpf").mkdir(parents=True)
    (tmp_path / "tfotop/bpf/handshake.bpf.c").touch()
    assert compiler.source_directory() == tmp_path / "tfotop/bpf"


def test_every_step_is_put_in_its_place_those_that_see_syns_last() -> None:
    put: list[tuple[str, int, int]] = []

    class Array:
        def __init__(self, name: str) -> None:
            self._name = name

        def __setitem__(self, slot: int, program: Any) -> None:
            put.append((self._name, slot, program.value))

    steps = {name: number for number, name in enumerate(sum(compiler.STEPS.values(), ()))}
    compiler.begin({name: Array(name) for name in compiler.STEP_ARRAYS}, steps)
    assert sorted(put) == [
        (f"{caller}_steps", slot, steps[name])
        for caller, names in sorted(compiler.STEPS.items())
        for slot, name in enumerate(names)
    ]
    assert [program for *_, program in put][-2:] == [steps["client_syn_step"], steps["server_syn_step"]]
