/* Search of pages opened from a folder: browsers start no worker there, so its script runs in a
   hidden frame instead. Served pages use the browser's worker. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const waiting = []
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      const inner = frame.contentWindow
      inner.document.open()
      inner.document.write("<!doctype html><title>search</title>")
      inner.document.close()
      inner.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
      inner.importScripts = () => undefined
      this.postMessage = data => waiting.push(data)
      const script = inner.document.createElement("script")
      script.onload = () => {
        this.postMessage = data => inner.dispatchEvent(new MessageEvent("message", { data }))
        waiting.splice(0).forEach(data => this.postMessage(data))
      }
      script.src = url
      inner.document.head.append(script)
    }
    terminate() {}
  }
}
