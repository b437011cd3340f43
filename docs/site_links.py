"""A hook of the documentation site: every module's page is in the navigation, and links that leave
docs/ lead to the repository, where they must exist."""

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
