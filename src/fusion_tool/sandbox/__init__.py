"""The sandboxed shell: one fresh bubblewrap sandbox a command, never the host.

probe     does the sandbox work here, and if not, what mends it
run       one command in a sandbox of its own
"""

from fusion_tool.sandbox.probing import probe
from fusion_tool.sandbox.shell import run
from fusion_tool.sandbox.values import Probe, ShellLimits, ShellResult

__all__ = ["Probe", "ShellLimits", "ShellResult", "probe", "run"]
