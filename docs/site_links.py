"""A hook of the documentation site. Every module's page is in the navigation. Links that leave
docs/ lead to the repository, where they must exist. The site sends no request to another host."""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.pages import Page

LINK = re.compile(r"\]\((\.\./[^)\s#]+)(#[^)\s]*)?\)")
log = get_plugin_logger("site_links")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    reference = config.nav[-1]["Reference"]
    pages = [
        f"reference/{page.name}" for page in sorted(Path(config.docs_dir, "reference").glob("*.md"))
    ]
    reference += [page for page in pages if page not in reference]
    return config


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: object) -> str:
    if page.file.src_uri.startswith("reference/"):
        page.meta["search"] = {"boost": 0.05}  # a page that explains comes before one that lists
    root = Path(config.docs_dir).parent

    def elsewhere(link: re.Match[str]) -> str:
        path = posixpath.normpath(
            posixpath.join("docs", posixpath.dirname(page.file.src_uri), link[1])
        )
        if path.startswith("docs/"):
            return link[0]
        if not (root / path).exists():
            log.warning("%s links to %s, which is not there", page.file.src_uri, path)
        return f"]({config.repo_url}/blob/main/{path}{link[2] or ''})"

    return LINK.sub(elsewhere, markdown)


def on_post_page(output: str, **_: object) -> str:
    """Without this mark the theme's script does not ask the repository's host for statistics."""
    return output.replace('data-md-component="source"', "")
