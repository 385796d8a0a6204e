"""How long a page takes to follow a click, in a browser that nobody drives.

A browser under remote control does not prerender what the pointer rests on. So the window stands on
a screen of its own, xdotool moves the pointer, and the pages report what they measured.
"""

import json
import os
import queue
import subprocess
import tempfile
from pathlib import Path

import browsers
from serving import Handler, serve

REST = 0.6  # seconds between the pointer's arrival and the click

REPORT = b"""<script>
  const arrived = new Promise((painted) => {
    new PerformanceObserver((list) => {
      const [paint] = list.getEntriesByName("first-contentful-paint");
      if (paint) painted(performance.timeOrigin + paint.startTime);
    }).observe({ type: "paint", buffered: true });
  });
  addEventListener("click", (event) => {
    localStorage.clicked = performance.timeOrigin + event.timeStamp;
  }, true);
  addEventListener("load", async () => {
    const painted = await arrived; // a prerendered page paints once it is shown
    const { activationStart } = performance.getEntriesByType("navigation")[0];
    const shown = performance.timeOrigin + activationStart;
    const next = document.querySelector(".md-nav--primary a[href$='2-model/']") ?? document.body;
    const { left, top, width, height } = next.getBoundingClientRect();
    const border = outerHeight - innerHeight;
    fetch("/report", { method: "POST", body: JSON.stringify({
      page: location.pathname,
      at: [screenX + left + width / 2, screenY + border + top + height / 2].map(Math.round),
      prerendered: activationStart > 0,
      navigation: painted - shown,
      click: painted - localStorage.clicked,
    }) });
  });
</script></head>"""


class ReportingHandler(Handler):
    """Serves pages with the report in their head, and collects what they send."""

    reports: "queue.Queue[dict]" = queue.Queue()

    def read(self, path: Path) -> bytes:
        body = super().read(path)
        return body.replace(b"</head>", REPORT, 1) if path.suffix == ".html" else body

    def do_POST(self) -> None:  # noqa: N802
        size = int(self.headers["Content-Length"])
        self.reports.put(json.loads(self.rfile.read(size)))
        self.send_response(204)
        self.end_headers()


def follow_a_click(site: Path) -> dict:
    """Open page 1 of a site with an empty cache, rest on the link to page 2, and click.

    Returns:
        `navigation`, the milliseconds until something of page 2 is drawn since it began to be
        fetched or, if it had been prerendered, to be shown; `click`, the same since the click; and
        whether it was `prerendered`.
    """
    reports = ReportingHandler.reports
    with (
        browsers.screen() as display,
        serve(site, handler=ReportingHandler) as address,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
    ):
        environment = os.environ | {"DISPLAY": display}
        command = [
            *(browsers.find("window"), f"--user-data-dir={profile}", "--no-sandbox"),
            *("--no-first-run", "--disable-background-networking"),
            "--disable-gpu",  # or a processor plays a graphics card, which takes longer
            *("--window-size=1350,900", "--window-position=0,0"),
            f"--app={address}workflow/1-data/",
        ]
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as window:
            try:
                left, top = reports.get(timeout=60)["at"]
                point = [browsers.find("pointer"), "mousemove", str(left), str(top), "sleep"]
                subprocess.run([*point, str(REST), "click", "1"], env=environment, check=True)
                report = reports.get(timeout=60)
            finally:
                window.terminate()
    assert report["page"].endswith("2-model/"), report
    return report
