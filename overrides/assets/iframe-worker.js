// Browsers start no workers from a file:// address. There the search runs in a hidden frame.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.srcdoc = `
        <script>window.postMessage = (data) => parent.postMessage(data, "*");</script>
        <script src="${address}"></script>`;
      this.loaded = new Promise((resolve) => this.frame.addEventListener("load", resolve));
      addEventListener("message", ({ source, data }) => {
        if (source === this.frame.contentWindow) {
          this.dispatchEvent(new MessageEvent("message", { data }));
        }
      });
      document.body.append(this.frame);
    }

    postMessage(data) {
      this.loaded.then(() => window.postMessage.call(this.frame.contentWindow, data, "*"));
    }
  };
}
