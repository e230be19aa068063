"""What `test` says: a line as each case ends, a summary, reports for CI systems, the envelope."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.cases.report import Layout, case_data, counted, details, headline, reason, summary
from wasmctl.cases.results import CaseResult
from wasmctl.errors import ExitCode
from wasmctl.paths import relative, replacing
from wasmctl.results import ErrorItem, JSONValue, Result

if TYPE_CHECKING:
    from wasmctl.errors import WasmctlError
    from wasmctl.flow.prove import Trial
    from wasmctl.session import Session

__all__ = ["Talk"]

_NOTHING_SHOWN: Final = "without `--url` they run in an Envoy of wasmctl's own"
_WRITABLE: Final = "check the path, its permissions and the space left"


class Talk:
    """Is told results and shows them; keeps them for the reports and the envelope."""

    def __init__(self, session: Session, *, several: bool) -> None:
        self.results: list[CaseResult] = []
        self._session = session
        self._several = several
        self._errors: list[ErrorItem] = []
        self._codes: set[int] = set()
        self._told: set[tuple[str, ...]] = set()

    def begin(self, trial: Trial, envoys: Sequence[str] = (), *, url: str = "") -> None:
        """Start a project's part, in Envoys or at a URL: its lines have columns in common."""
        self._trial = trial
        self._started = time.monotonic()
        self._first = len(self.results)
        self._layout = Layout(
            cwd=self._session.cwd,
            names=tuple(case.name for file in trial.files for case in file.cases),
            files=tuple(file.path for file in trial.files),
            envoys=tuple(dict.fromkeys(envoys)),
            url=url,
        )
        if self._several:
            folder = str(relative(trial.project.folder, self._session.cwd))
            self._print(self._session.console.style_result(folder, "bold"))

    def __call__(self, result: CaseResult) -> None:
        """Show a result: what passed in a line, what did not with all that helps."""
        self.results.append(result)
        style = self._session.console.style_result
        if result.outcome == "not-run":
            return
        if result.outcome in {"passed", "not-shown"}:
            if self._session.console.verbosity >= 0 and self._trial.declared:
                self._print(headline(result, self._layout, style))
            return
        # A module that is refused is refused for all cases: its reason is told once.
        why = (result.outcome, result.venue, *reason(result))
        if result.outcome != "failed" and why in self._told:
            return
        self._told.add(why)
        self._print(headline(result, self._layout, style))
        for line in details(result, self._layout, style):
            self._print(line)
        if self._session.env.get("GITHUB_ACTIONS") == "true":
            from wasmctl.cases.github import annotation

            self._print(annotation(result, self._workspace()))

    def end(self, *, interrupted: bool = False) -> None:
        """Sum a project's part up; what an interruption has left out counts as not run."""
        if interrupted:
            self.results += self._left_out()
        results = self.results[self._first :]
        if not self._trial.declared and all(item.outcome == "passed" for item in results):
            for result in results:
                self._print(f"loads; no cases (Envoy {result.envoy})")
            hint = "`wasmctl init --adopt` writes a first one to `tests/first.cases.yaml`"
            self._session.console.say(f"cases say what is expected; {hint}")
            return
        seconds = time.monotonic() - self._started
        for line in summary(results, self._layout, seconds, self._session.console.style_result):
            self._print(line)

    def failed(self, trial: Trial, error: WasmctlError) -> None:
        """Tell that one project among several could not be tested."""
        message = f"{trial.project.folder}: {error.message}"
        self._session.console.error(message, error.hint, error.output)
        self._errors.append(ErrorItem(code=error.code, message=message, hint=error.hint))
        self._codes.add(int(error.exit_code))

    @property
    def exit_code(self) -> int:
        """What the results so far come to; of several answers the highest counts."""
        outcomes = {result.outcome for result in self.results}
        codes = {*self._codes, ExitCode.DONE}
        if outcomes & {"failed", "refused"}:
            codes.add(ExitCode.NO)
        if "proxy" in outcomes:
            codes.add(ExitCode.PROXY)
        if outcomes == {"not-shown"}:
            codes.add(ExitCode.USAGE)
        return int(max(codes))

    def write_reports(self, junit: Path | None) -> None:
        """Write what CI systems read, also when cases failed.

        A report that cannot be written is an error, a summary a warning; neither takes anything
        from the results.
        """
        if junit is not None:
            try:
                self._write_junit(junit)
            except OSError as error:
                message = _not_written(junit, error)
                self._session.console.error(message, _WRITABLE)
                self._errors.append(ErrorItem(code="cannot-write", message=message, hint=_WRITABLE))
                self._codes.add(ExitCode.USAGE)
        step_summary = self._session.env.get("GITHUB_STEP_SUMMARY")
        if self._session.env.get("GITHUB_ACTIONS") == "true" and step_summary:
            try:
                self._write_step_summary(Path(step_summary))
            except OSError as error:
                self._session.console.warn(_not_written(Path(step_summary), error))

    def _write_junit(self, path: Path) -> None:
        from wasmctl.cases.junit import make_junit

        with replacing(path) as stream:
            stream.write(make_junit(self.results, self._session.cwd))

    def _write_step_summary(self, path: Path) -> None:
        from wasmctl.cases.github import step_summary

        with path.open("a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(step_summary(self.results, self._workspace()))

    def result(self, *, interrupted: bool) -> Result:
        """Return what the command comes to; all that people read was told as it came."""
        failures = self._failures()
        for error in failures:
            if error.code == "nothing-shown":
                self._session.console.error(error.message, error.hint)
        errors = [*self._errors, *failures]
        if interrupted:
            self._session.console.error("interrupted", None)
            errors.append(ErrorItem(code="interrupted", message="interrupted"))
        return Result(
            data=self._data(),
            exit_code=ExitCode.INTERRUPTED if interrupted else self.exit_code,
            errors=tuple(errors),
        )

    def _data(self) -> dict[str, JSONValue]:
        outcomes = [result.outcome for result in self.results]
        return {
            "passed": outcomes.count("passed"),
            "failed": outcomes.count("failed"),
            "refused": outcomes.count("refused"),
            "proxy": outcomes.count("proxy"),
            "not_run": outcomes.count("not-run"),
            "not_shown": outcomes.count("not-shown"),
            "cases": [case_data(result) for result in self.results],
        }

    def _failures(self) -> list[ErrorItem]:
        found: dict[tuple[str, ...], ErrorItem] = {}
        failed = [result for result in self.results if result.outcome == "failed"]
        if failed:
            message = f"{len(failed)} of {len(self.results)} cases failed"
            found["cases-failed",] = ErrorItem(code="cases-failed", message=message)
        if self.results and all(result.outcome == "not-shown" for result in self.results):
            message = "nothing that the cases expect is shown by answers of what is deployed"
            found["nothing-shown",] = ErrorItem(
                code="nothing-shown", message=message, hint=_NOTHING_SHOWN
            )
        for result in self.results:
            if result.outcome not in {"refused", "proxy"}:
                continue
            code = "module-refused" if result.outcome == "refused" else "proxy-lost"
            if result.url:
                code = "gateway-lost"
            words = " ".join(line for line in reason(result) if not line.startswith("hint: "))
            message = f"{result.venue}: {words or counted([result])}"
            hint = None if result.explanation is None else result.explanation.hint
            found[code, message] = ErrorItem(code=code, message=message, hint=hint)
        return list(found.values())

    def _left_out(self) -> list[CaseResult]:
        done = {(item.envoy, item.file, item.name) for item in self.results[self._first :]}
        return [
            CaseResult(
                file=file.path,
                line=case.line,
                name=case.name,
                envoy=envoy,
                url=self._layout.url,
                outcome="not-run",
            )
            for envoy in self._layout.envoys or ("",)
            for file in self._trial.files
            for case in file.cases
            if (envoy, file.path, case.name) not in done
        ]

    def _workspace(self) -> Path:
        return Path(self._session.env.get("GITHUB_WORKSPACE") or self._session.cwd)

    def _print(self, line: str) -> None:
        if not self._session.as_json:
            self._session.console.result(line)


def _not_written(path: Path, error: OSError) -> str:
    return f"the report `{path}` cannot be written: {(error.strerror or str(error)).lower()}"
