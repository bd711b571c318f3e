"""Debian's Chromium, driven by Playwright, for pages to be tried in."""

import contextlib
import shutil

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is for Python 3.9 and newer")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe's checks are for Python 3.10 and newer")
_PATH = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(_PATH is None, reason="needs Chromium (Debian: apt-get install chromium)")

DROP = """([bytes, name]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], name, {type: "image/png"}));
    document.dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
}"""


@contextlib.contextmanager
def browsing():
    """Start a browser."""
    with playwright.sync_playwright() as program:
        browser = program.chromium.launch(executable_path=_PATH, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextlib.contextmanager
def opening(browser):
    """Return a function that opens a page; what the browser complains of fails the test, violations of CSP too."""
    complaints, contexts = [], []

    def open_page(url, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [each for each in complaints if not each.startswith("Failed to load resource")] == []


def drop(page, data, name="dropped.png"):
    """Drop an image onto a page, and wait until it is read."""
    rows = page.locator("#rows tr").count()
    page.evaluate(DROP, [list(data), name])
    playwright.expect(page.locator("#rows tr")).to_have_count(rows + 1)


def serious_faults(page):
    """Return what axe finds that shuts people out."""
    violations = axe.Axe().run(page).response["violations"]
    return [each["id"] for each in violations if each["impact"] in ("serious", "critical")]
