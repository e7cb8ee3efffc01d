"""The benchmarks page's table of what `tests/bench/gpu.py` measured."""

from typing import Any

Found = dict[str, Any]


def table(found: Found) -> str:
    """The benchmarks page's rows for what was measured."""
    parts = found["parts"]
    lines = ["| what | figure |", "|---|---|"]

    def add(what: str, figure: str) -> None:
        lines.append(f"| {what} | {figure} |")

    machine, roof = parts.get("machine", {}), parts.get("roof", {})
    add("device", machine.get("gpu", found["device"]))
    if "copy_gb_per_s" in roof:
        add("memory roof (copy)", f"{roof['copy_gb_per_s']:,.0f} GB/s")
        add("peak (matrix product)", f"{roof['matmul_tflops']:,.1f} TFLOPS")
    for context, rows in _measured(parts.get("decode", {})):
        for form, row in rows.items():
            extra = ""
            if "of_roof" in row:
                extra = f", {row['of_roof']:.0%} of the roof" if row["of_roof"] else ""
                extra += f", {row['to_transformers']:.2f} × transformers"
            add(f"decode after {context} tokens, {form}", f"{row['tokens_per_s']:,.1f}/s{extra}")
    for context, row in _measured(parts.get("prefill", {})):
        share = f", {row['of_peak']:.0%} of the peak" if row["of_peak"] else ""
        add(f"prefill of {context} tokens", f"{row['tokens_per_s']:,.0f}/s{share}; transformers "
            f"{row['transformers']:,.0f}/s")  # fmt: skip
    for size, row in _measured(parts.get("edit", {})):
        add(
            f"edit → first token, {size} tokens",
            ", ".join(f"{n} {t:,.1f} ms" for n, t in row.items()),
        )
    if "growth" in parts.get("edit", {}):
        add("slowest of these over fastest, keyturn", f"{parts['edit']['growth']:.2f} ×")
    passes = parts.get("verify", {})
    if "1" in passes:
        ratios = (f"{n}: {t / passes['1']:.2f} ×" for n, t in passes.items() if n.isdigit())
        add("a pass by its tokens", ", ".join(ratios))
    if "equal" in parts.get("greedy", {}):
        add("greedy tokens equal to the CPU's", "yes" if parts["greedy"]["equal"] else
            f"until token {min(parts['greedy']['same_until'])}")  # fmt: skip
    for name, part in parts.items():
        for why in ("error", "skipped"):
            if why in part:
                add(name, f"{why}: {part[why]}")
    return "\n".join(lines)


def _measured(part: Found) -> list[tuple[str, Any]]:
    return [(key, row) for key, row in part.items() if key.isdigit() and isinstance(row, dict)]
