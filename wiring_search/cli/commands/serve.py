"""serve: the report as a page that follows its search."""

from typing import Annotated

import typer

from wiring_search.cli.options import Folder, command, console
from wiring_search.cli.tables import plain


@command("Results")
def serve(
    out: Folder,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on. 0: any free port.")
    ] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Default: reachable from this machine only.")
    ] = "127.0.0.1",
) -> None:
    """Serve the report as a page that follows the search. Ctrl-C stops it.

    It only reads. With --host 0.0.0.0, everyone who can reach this machine sees the page.
    """
    from wiring_search.report.serve import server
    from wiring_search.run import player

    serving = server(out, host, port, player())
    name = f"[{host}]" if ":" in host else host
    console.print(
        f"{plain(str(out))} at http://{plain(name)}:{serving.server_port}/ (stop with Ctrl-C)",
        soft_wrap=True,
    )
    try:
        serving.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        serving.server_close()
