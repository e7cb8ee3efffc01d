"""The processor that kernels are compiled for, in LLVM's words, and what follows from it."""

import os
from dataclasses import dataclass
from typing import Any, Literal

import llvmlite.binding as llvm

Element = Literal["float32", "int8"]  # of keys and values
Dot = Literal["vnni-512", "vnni-256", "avx2"]  # how it multiplies bytes


@dataclass(frozen=True, slots=True)
class Processor:
    name: str
    features: frozenset[str]

    @classmethod
    def here(cls) -> "Processor":
        """This one, or what numba is told to compile for by its own variables."""
        name = os.environ.get("NUMBA_CPU_NAME") or llvm.get_host_cpu_name()
        features = os.environ.get("NUMBA_CPU_FEATURES") or llvm.get_host_cpu_features().flatten()
        return cls(name, frozenset(f for f in features.split(",") if f.startswith("+")))

    def has(self, *features: str) -> bool:
        return self.features.issuperset(f"+{feature}" for feature in features)

    @property
    def registers(self) -> int:
        """Vectors of sixteen float32 that it holds: those of AVX2 hold eight."""
        return 32 if self.has("avx512f") else 8

    @property
    def elements(self) -> tuple[Element, ...]:
        return ("float32",) if self.dot is None else ("float32", "int8")

    @property
    def dot(self) -> Dot | None:
        if self.has("avx512vnni", "avx512vl", "avx512bw"):
            return "vnni-512"
        if self.has("avxvnni"):
            return "vnni-256"
        return "avx2" if self.has("avx2") else None

    @property
    def query_codes(self) -> int:
        """The largest of a query in attention over codes: "avx2" adds two products up in sixteen
        bits, of codes of keys up to 255 there."""
        return 63 if self.dot == "avx2" else 127

    @property
    def weight_codes(self) -> int:
        """The largest of a weight there, by values up to 127."""
        return 127 if self.dot == "avx2" else 255

    def target(self) -> Any:
        """LLVM's, to compile for it."""
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        found = llvm.Target.from_default_triple()
        features = ",".join(sorted(self.features))
        return found.create_target_machine(
            cpu=self.name, features=features, opt=3, reloc="default", codemodel="jitdefault",
            jit=True,
        )  # fmt: skip
