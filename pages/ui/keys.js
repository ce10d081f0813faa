// Streamlit draws what is in a popover at the very end of the page, so that the Tab key comes to it last of all.
// Here Tab goes from the button into its popover, along it and round; Escape, which closes it, leads back to the button.

const FOCUSABLE = "a[href], button, input, select, textarea, [tabindex]"

const find = (name, more = "") => document.querySelector(`[data-testid="${name}"]${more}`)
// While the keyboard is elsewhere, Streamlit takes all in a popover out of its reach and notes how it was.
const orderOf = ({ dataset, tabIndex }) => "tabindex" in dataset ? Number(dataset.tabindex) : tabIndex
const isStop = element => !element.disabled && orderOf(element) >= 0 && element.getClientRects().length > 0

function goRound(event) {
  const button = find("stPopoverButton", "[aria-expanded=true]"), popover = find("stPopoverBody")
  if (!button || !popover) return
  const ring = [button, ...popover.querySelectorAll(FOCUSABLE)].filter(isStop)
  const at = ring.indexOf(document.activeElement), step = event.shiftKey ? -1 : 1
  if (event.key === "Escape" && at > 0) setTimeout(() => popover.isConnected || button.focus())
  if (event.key !== "Tab" || at < 0 || (at === 0 && event.shiftKey)) return
  event.preventDefault()
  event.stopPropagation()
  ring[(at + step) % ring.length].focus()
}

export default function () {
  if (window.cnnlabKeys) return // one listener, however often the script of a page runs
  window.cnnlabKeys = true
  document.addEventListener("keydown", goRound, true)
}
