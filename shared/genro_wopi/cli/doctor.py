"""``genro-wopi doctor``: what is wrong, why it matters, what to change."""

from typing import Final

import click
from rich.text import Text

from genro_wopi.cli.profiles import Target
from genro_wopi.cli.run import EXIT_REFUSED, calling, with_host
from genro_wopi.cli.show import console, show
from genro_wopi.domain.doctor import Finding, Level
from genro_wopi.management.doctor import DOCTOR_RUN, Diagnosis, DoctorRequest

_STYLES: Final = {Level.PROBLEM: "bold red", Level.WARNING: "yellow", Level.NOTE: "dim"}


@click.group(invoke_without_command=True)
@click.option("--editor", help="Examine this editor only.")
@click.option("--notes", is_flag=True, help="Show what is only worth knowing, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_host
def doctor(host: Target, editor: str | None, *, notes: bool, as_json: bool) -> None:
    """Say why a document does not open; exits with 1 where something is wrong."""
    if click.get_current_context().invoked_subcommand:
        return
    with calling(host) as client:
        diagnosis = client.call(DOCTOR_RUN, DoctorRequest(tenant_id=host.tenant, editor=editor))
    if as_json:
        show(diagnosis, as_json=True)
    else:
        _show(diagnosis, with_notes=notes)
    if not diagnosis.is_healthy:
        raise SystemExit(EXIT_REFUSED)


def _show(diagnosis: Diagnosis, *, with_notes: bool) -> None:
    shown = [f for f in diagnosis.items if with_notes or f.level is not Level.NOTE]
    for finding in shown:
        _show_one(finding)
    hidden = len(diagnosis.items) - len(shown)
    state = "All is well." if diagnosis.is_healthy else f"{len(shown)} found."
    more = f" {hidden} notes: add --notes." if hidden else ""
    if any(f.check.startswith("editor") for f in shown):
        click.echo(f"For a Collabora's coolwsd.xml: {diagnosis.collabora_allow}")
    click.echo(f"{diagnosis.checks} checks. {state}{more}")


def _show_one(finding: Finding) -> None:
    head = Text(f"{finding.level.upper()}  ", style=_STYLES[finding.level])
    head.append(f"{finding.check}", style="bold")
    head.append(f"  {finding.subject}" if finding.subject else "")
    screen = console()
    screen.print(head)
    for label, text in (("", finding.what), ("Why: ", finding.why), ("Do:  ", finding.remedy)):
        screen.print(Text(f"  {label}{text}"), soft_wrap=True)
    screen.print()
