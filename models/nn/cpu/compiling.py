"""From the kernels' Python to the machine code of one processor."""

from collections.abc import Mapping
from typing import Any

import llvmlite.binding as llvm
from numba import types

from .kernels import attention_kernel, int5_kernel, int8_kernel
from .processor import Processor

# What C calls: numba's own functions have a place for a result and one for an exception.
ENTRY = """
declare i32 @"{inner}"(ptr, ptr, i64)
define void @"{name}"(i64 %numbers) {{
  %result = alloca ptr
  %exception = alloca ptr
  %status = call i32 @"{inner}"(ptr %result, ptr %exception, i64 %numbers)
  ret void
}}
"""


def compiled(processor: Processor) -> bytes:
    """Object code with all kernels, each void (int64 *) under its name."""
    functions: dict[str, Any] = {}
    for element in processor.elements:
        remember, attend = attention_kernel.functions(element, processor)
        functions |= {f"remember {element}": remember, f"attend {element}": attend}
    if processor.dot is not None:
        prepare, multiply, add_up = int8_kernel.functions(processor.dot)
        functions |= {"prepare": prepare, "multiply int8": multiply, "add up int8": add_up}
        functions["multiply int5"] = int5_kernel.function(processor.dot)
    return _object_code(_linked(functions), functions, processor)


def _linked(functions: Mapping[str, Any]) -> Any:
    whole = llvm.parse_assembly("")
    for name, function in functions.items():
        function.compile((types.int64,))
        (made,) = function.overloads.values()
        code = made.library.get_llvm_str()
        entry = ENTRY.format(name=name, inner=made.fndesc.llvm_func_name)
        whole.link_in(llvm.parse_assembly(code))
        whole.link_in(llvm.parse_assembly(entry))
    return whole


def _object_code(module: Any, entries: Mapping[str, Any], processor: Processor) -> bytes:
    """Of the entries and what they need, and nothing of numba's, which has optimised them."""
    for function in module.functions:
        if not function.is_declaration and function.name not in entries:
            function.linkage = "internal"
    target = processor.target()
    unused = llvm.create_new_module_pass_manager()
    unused.add_global_dead_code_eliminate_pass()
    unused.run(module, llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(0)))
    return target.emit_object(module)
