// The drawing canvas in the browser: ink, tools, undo, and what a network says of each pixel.
// The ink is the truth here. Python hears of it while a stroke is under way: one message at a time, the next one, with
// the newest ink, when the answer has come. Python's own ink is taken only when its version changes.

const SIZE = 64, PIXELS = SIZE * SIZE, BACKGROUND = 10
const PAUSE = 60 // milliseconds between two messages, at least
const PATIENCE = 3000 // milliseconds until a message without an answer is sent again; doubled each time it is
const MOST_PATIENCE = 48000
const UNDO_STEPS = 50
const FAST = 4 // pixels that Shift and an arrow key move
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }
const NAMES = [..."0123456789", "background"]
const HEAT = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]] // "inferno": ever lighter
const HINT = "Point at a pixel to see its classes"
const boards = new WeakMap() // the box of a canvas -> all that is known about it

const within = (value, low, high) => Math.max(low, Math.min(high, value))
const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0))
const percent = share => `${Math.round(share * 100)} %`

// ---- ink ----

function distance(x, y, from, to) {
  const dx = to.x - from.x, dy = to.y - from.y, square = dx * dx + dy * dy
  const along = square ? within(((x - from.x) * dx + (y - from.y) * dy) / square, 0, 1) : 0
  return Math.hypot(x - from.x - along * dx, y - from.y - along * dy)
}

function drawSegment(ink, from, to, radius, erases) {
  const reach = radius + 0.5 // the edge is one pixel wide: grey, as in MNIST
  const first = (a, b) => Math.max(0, Math.floor(Math.min(a, b) - reach))
  const last = (a, b) => Math.min(SIZE - 1, Math.floor(Math.max(a, b) + reach))
  for (let y = first(from.y, to.y); y <= last(from.y, to.y); y++)
    for (let x = first(from.x, to.x); x <= last(from.x, to.x); x++) {
      const covered = Math.round(255 * within(reach - distance(x + 0.5, y + 0.5, from, to), 0, 1)), at = y * SIZE + x
      ink[at] = erases ? Math.min(ink[at], 255 - covered) : Math.max(ink[at], covered)
    }
}

function begin(board, erases, point) {
  finish(board)
  remember(board)
  board.stroke = { erases, point }
  extend(board, point)
}

function extend(board, point) {
  drawSegment(board.ink, board.stroke.point, point, board.radius, board.stroke.erases)
  board.stroke.point = point
  changed(board)
}

function finish(board) {
  if (!board.stroke) return
  board.stroke = null
  if (board.ink.every((value, at) => value === board.undo.at(-1)[at])) board.undo.pop()
  refresh(board)
}

function remember(board) {
  board.undo.push(board.ink.slice())
  if (board.undo.length > UNDO_STEPS) board.undo.shift()
}

function undo(board) {
  finish(board)
  if (!board.undo.length) return
  board.ink = board.undo.pop()
  changed(board)
}

function clear(board) {
  finish(board)
  if (board.ink.some(value => value)) remember(board)
  board.ink = new Uint8Array(PIXELS)
  board.pixel = null
  board.answer = null
  board.freshFrom = board.number + 1 // an answer to an earlier message is about ink that is gone
  changed(board)
}

function changed(board) {
  refresh(board)
  tell(board)
}

// ---- messages ----

function tell(board) {
  board.hasNews = true
  if (board.waitsFor || board.sending) return
  board.sending = setTimeout(() => send(board), Math.max(0, board.sentAt + PAUSE - performance.now()))
}

function send(board) {
  board.sending = 0
  board.hasNews = false
  board.sentAt = performance.now()
  board.waitsFor = ++board.number
  const ink = btoa(String.fromCharCode(...board.ink))
  board.setStateValue("drawn", { ink, number: board.number, version: board.version, pixel: board.pixel })
  board.overdue = setTimeout(() => {
    board.patience = Math.min(2 * board.patience, MOST_PATIENCE)
    send(board)
  }, board.patience)
}

function rest(board) {
  clearTimeout(board.overdue)
  board.waitsFor = 0
  board.patience = PATIENCE
}

function hear(board, data) {
  if (data.version !== board.version) adopt(board, data)
  if (data.heard === board.waitsFor) {
    rest(board)
    if (board.hasNews) tell(board)
  }
  const answer = data.answer
  if (!answer) board.answer = null
  else if (answer.number >= board.freshFrom && !isSame(answer, board.answer)) board.answer = unpack(answer)
}

function adopt(board, data) {
  finish(board)
  rest(board)
  clearTimeout(board.sending)
  const isNew = board.version === null
  board.undo = isNew ? [] : [board.ink]
  board.ink = data.ink ? bytes(data.ink) : new Uint8Array(PIXELS)
  Object.assign(board, { version: data.version, pixel: null, answer: null, freshFrom: 0, hasNews: false, sending: 0 })
  board.number = Math.max(board.number, data.heard)
}

const isSame = (sent, known) => sent.number === known?.sent.number && sent.probabilities === known.sent.probabilities

function unpack(sent) {
  const { labels, probabilities, regions } = sent
  return { sent, labels: bytes(labels), probabilities: bytes(probabilities), regions, tints: {} }
}

// ---- what is shown ----

function sharesAt(answer, at) {
  const shares = NAMES.map((_, name) => answer.probabilities[name * PIXELS + at])
  const sum = shares.reduce((a, b) => a + b, 0) || 1
  return shares.map(share => share / sum)
}

function entropyAt(answer, at) { // 0 sure .. 1 all classes alike
  const bits = sharesAt(answer, at).reduce((sum, share) => sum - (share ? share * Math.log2(share) : 0), 0)
  return bits / Math.log2(NAMES.length)
}

function heat(value) {
  const place = within(value, 0, 1) * (HEAT.length - 1), low = Math.min(Math.floor(place), HEAT.length - 2)
  return HEAT[low].map((part, i) => part + (HEAT[low + 1][i] - part) * (place - low))
}

const hex = colour => [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16))

function tintOf(board, at) { // the colour over a pixel, or nothing
  const { answer, show, colours } = board
  if (show === "classes") return answer.labels[at] === BACKGROUND ? null : hex(colours[answer.labels[at]])
  if (show === "entropy") return heat(entropyAt(answer, at))
  return heat(answer.probabilities[NAMES.indexOf(show) * PIXELS + at] / 255)
}

function tints(board) {
  const made = board.answer.tints
  return made[board.show] ??= Array.from({ length: PIXELS }, (_, at) => tintOf(board, at))
}

function paint(board) {
  const context = board.inkCanvas.getContext("2d"), picture = context.createImageData(SIZE, SIZE)
  const tinted = board.answer && board.overlay ? tints(board) : []
  for (let at = 0; at < PIXELS; at++) {
    const ink = board.ink[at], tint = tinted[at]
    for (let part = 0; part < 3; part++)
      picture.data[4 * at + part] = tint ? ink + (tint[part] - ink) * board.overlay : ink
    picture.data[4 * at + 3] = 255
  }
  context.putImageData(picture, 0, 0)
}

function paintMarks(board) {
  const canvas = board.marksCanvas, width = canvas.clientWidth, density = window.devicePixelRatio || 1
  canvas.width = canvas.height = Math.round(width * density)
  const context = canvas.getContext("2d"), scale = width / SIZE
  context.scale(density, density)
  if (board.answer && board.overlay)
    for (const region of board.answer.regions) paintRegion(board, context, region, scale)
  if (board.pixel) paintSquare(context, board.pixel[0], board.pixel[1], scale, 3)
  if (board.cursor.shown) paintSquare(context, board.cursor.x, board.cursor.y, scale, board.stroke ? 4 : 1.5)
  else if (board.hover && board.tool !== "look") paintRing(context, board.hover, board.radius, scale)
}

function paintRegion(board, context, { digit, box }, scale) {
  const [x0, y0, x1, y1] = [box[0], box[1], box[2] + 1, box[3] + 1].map(part => part * scale), high = 22, wide = 20
  context.lineWidth = 2
  context.strokeStyle = board.colours[digit]
  context.strokeRect(x0 - 2, y0 - 2, x1 - x0 + 4, y1 - y0 + 4) // around the ink, not on it
  const left = within(x0 - 3, 0, SIZE * scale - wide)
  const top = y0 >= high + 2 ? y0 - high - 2 : Math.min(y1 + 2, SIZE * scale - high)
  context.fillStyle = "#000"
  context.fillRect(left, top, wide, high)
  context.strokeRect(left + 1, top + 1, wide - 2, high - 2)
  context.fillStyle = "#fff"
  context.font = "600 15px sans-serif"
  context.textAlign = "center"
  context.textBaseline = "middle"
  context.fillText(digit, left + wide / 2, top + high / 2 + 1)
}

function outline(context, width) { // seen on white, on black and on every colour
  context.lineWidth = width + 2
  context.strokeStyle = "#000"
  context.stroke()
  context.lineWidth = width
  context.strokeStyle = "#fff"
  context.stroke()
}

function paintSquare(context, x, y, scale, width) {
  context.beginPath()
  context.rect(x * scale - 1, y * scale - 1, scale + 2, scale + 2)
  outline(context, width)
}

function paintRing(context, point, radius, scale) {
  context.beginPath()
  context.arc(point.x * scale, point.y * scale, radius * scale, 0, 2 * Math.PI)
  outline(context, 1)
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text
}

function pixelShown(board) { // [x, y] of the pixel that the bars tell about, or null
  if (board.cursor.shown) return [board.cursor.x, board.cursor.y]
  if (!board.hover) return board.pixel
  const { x, y } = board.hover, inside = value => value >= 0 && value < SIZE
  return inside(x) && inside(y) ? [Math.floor(x), Math.floor(y)] : null
}

function inWords(board, pixel, shares) {
  const best = shares ? shares.indexOf(Math.max(...shares)) : 0
  const likeliest = shares ? `: ${NAMES[best]} (${percent(shares[best])})` : ""
  return `Pixel ${pixel.join(", ")}${likeliest}${board.cursor.shown && board.stroke ? ", pen down" : ""}`
}

function writeBars(board) {
  const pixel = pixelShown(board), shares = pixel && board.answer && sharesAt(board.answer, pixel[1] * SIZE + pixel[0])
  write(board.where, pixel ? inWords(board, pixel, shares) : HINT)
  board.rows.forEach((row, name) => {
    row.bar.style.width = `${shares ? 100 * shares[name] : 0}%`
    write(row.percent, shares ? percent(shares[name]) : "–")
  })
}

function writeRead(board) {
  const found = board.answer ? board.answer.regions : []
  const words = found.map(({ digit, confidence }) => `${digit} (${percent(confidence)})`).join(", ")
  write(board.read, words ? `Digits read: ${words}` : "No digit read yet")
}

function writeLegend(board) {
  const isEntropy = board.show === "entropy"
  board.legend.classList.toggle("shown", board.show !== "classes" && board.overlay > 0)
  write(board.low, isEntropy ? "sure" : "0 %")
  write(board.high, isEntropy ? "unsure" : `100 % ${board.show}`)
}

function writeTools(board) {
  for (const button of board.toolButtons) button.setAttribute("aria-pressed", button.dataset.tool === board.tool)
  board.undoButton.setAttribute("aria-disabled", !board.undo.length)
  write(board.output, `${2 * board.radius} px`)
  const kind = board.tool === "look" ? "Space picks a pixel" : `Space puts the ${board.tool} down or lifts it`
  board.inkCanvas.setAttribute("aria-label", `Drawing canvas, 64 by 64 pixels. Arrow keys move, ${kind}.`)
}

function refresh(board) { // at most once a frame, however many pointer events there are
  board.frame ||= requestAnimationFrame(() => {
    board.frame = 0
    for (const part of [paint, paintMarks, writeBars, writeRead, writeLegend, writeTools]) part(board)
  })
}

// ---- mouse, touch, stylus and keys ----

function pointAt(board, event) {
  const box = board.inkCanvas.getBoundingClientRect()
  return { x: (event.clientX - box.left) / box.width * SIZE, y: (event.clientY - box.top) / box.height * SIZE }
}

function press(board, event) {
  if (board.pointer !== null || (event.button !== 0 && event.pointerType !== "pen")) return
  board.inkCanvas.setPointerCapture(event.pointerId)
  board.pointer = event.pointerId
  point(board, event)
  const isPenEraser = (event.buttons & 32) > 0
  if (board.tool !== "look") begin(board, isPenEraser || board.tool === "eraser", board.hover)
}

function move(board, event) {
  if (board.pointer !== null && board.pointer !== event.pointerId) return
  const steps = event.getCoalescedEvents?.() || []
  if (board.pointer !== null && board.stroke)
    for (const step of steps.length ? steps : [event]) extend(board, pointAt(board, step))
  point(board, event)
}

function point(board, event) {
  const { x, y } = board.hover = pointAt(board, event)
  const near = value => within(Math.floor(value), 0, SIZE - 1)
  board.cursor = { x: near(x), y: near(y), shown: false } // keys go on from here
  refresh(board)
}

function release(board, event) {
  if (board.pointer !== event.pointerId) return
  board.pointer = null
  if (board.tool === "look" && event.type === "pointerup") pick(board)
  if (event.pointerType === "touch") board.hover = null // a finger that is lifted points at nothing
  finish(board)
  refresh(board)
}

function pick(board) {
  const pixel = pixelShown(board)
  if (pixel) board.pixel = pixel
  changed(board)
}

function choose(board, tool) {
  finish(board)
  board.tool = tool
  refresh(board)
}

function step(board, [dx, dy], pixels) {
  const { cursor } = board
  cursor.x = within(cursor.x + dx * pixels, 0, SIZE - 1)
  cursor.y = within(cursor.y + dy * pixels, 0, SIZE - 1)
  if (board.stroke) extend(board, middle(cursor))
}

const middle = cursor => ({ x: cursor.x + 0.5, y: cursor.y + 0.5 })

function useSpace(board) {
  if (board.tool === "look") pick(board)
  else if (board.stroke) finish(board)
  else begin(board, board.tool === "eraser", middle(board.cursor))
}

function actionOf(board, event) { // what a key does, or nothing
  const key = event.key.toLowerCase()
  if (event.ctrlKey || event.metaKey || event.altKey) return key === "z" && !event.altKey ? () => undo(board) : null
  if (event.key in ARROWS) return () => step(board, ARROWS[event.key], event.shiftKey ? FAST : 1)
  if (key === " ") return () => event.repeat || useSpace(board)
  if (key === "delete" || key === "backspace") return () => choose(board, board.tool === "eraser" ? "brush" : "eraser")
  return key === "c" ? () => clear(board) : null
}

function type(board, event) {
  const action = actionOf(board, event)
  if (!action) return
  event.preventDefault() // nothing scrolls
  event.stopPropagation() // C is also a key of Streamlit, for its caches
  board.cursor.shown = true
  if (board.pointer === null) action()
  refresh(board)
}

function listen(board) {
  const canvas = board.inkCanvas, on = (name, act) => canvas.addEventListener(name, event => act(board, event))
  on("pointerdown", press)
  on("pointermove", move)
  on("pointerup", release)
  on("lostpointercapture", release)
  on("keydown", type)
  canvas.onpointerleave = () => { board.hover = null; refresh(board) }
  canvas.onfocus = () => { board.cursor.shown = canvas.matches(":focus-visible"); refresh(board) }
  canvas.onblur = () => { board.cursor.shown = false; finish(board); refresh(board) }
  for (const button of board.toolButtons) button.onclick = () => choose(board, button.dataset.tool)
  board.undoButton.onclick = () => undo(board)
  board.clearButton.onclick = () => clear(board)
  board.slider.oninput = () => { board.radius = board.slider.valueAsNumber / 2; refresh(board) }
}

// ---- the board ----

function makeRow(list, name, colour) {
  const row = list.appendChild(document.createElement("li"))
  const part = (kind, parent) => Object.assign(parent.appendChild(document.createElement("span")), { className: kind })
  part("name", row).textContent = name
  row.style.setProperty("--class", colour)
  const bar = part("bar", part("track", row))
  return { bar, percent: part("percent", row) }
}

function make(box, colours) {
  const find = what => box.querySelector(what)
  const board = {
    ink: new Uint8Array(PIXELS), undo: [], stroke: null, pixel: null, version: null, answer: null, freshFrom: 0,
    number: 0, waitsFor: 0, hasNews: false, sentAt: -PAUSE, sending: 0, overdue: 0, patience: PATIENCE,
    tool: "brush", radius: 1.5, pointer: null, hover: null, frame: 0,
    cursor: { x: SIZE / 2, y: SIZE / 2, shown: false },
    inkCanvas: find(".ink"), marksCanvas: find(".marks"), slider: find("input"), output: find("output"),
    toolButtons: [...box.querySelectorAll("[data-tool]")], undoButton: find("[data-act=undo]"),
    clearButton: find("[data-act=clear]"), read: find(".read"), where: find(".where"), legend: find(".legend"),
    low: find(".low"), high: find(".high"),
    rows: NAMES.map((name, at) => makeRow(find(".bars"), name, colours[at])),
  }
  const ramp = HEAT.map(colour => `rgb(${colour.join(" ")})`).join(", ")
  find(".ramp").style.background = `linear-gradient(90deg, ${ramp})`
  board.size = new ResizeObserver(() => refresh(board))
  board.size.observe(find(".paper"))
  listen(board)
  boards.set(box, board)
  return board
}

function forget(box, board) { // Streamlit also says so when two answers come in the same moment: then the box stays
  if (box.isConnected) return
  board.size.disconnect()
  for (const timer of [board.sending, board.overdue]) clearTimeout(timer)
  cancelAnimationFrame(board.frame)
  boards.delete(box)
}

export default function ({ data, parentElement, setStateValue }) {
  const box = parentElement.querySelector(".board")
  const board = boards.get(box) || make(box, data.colours)
  Object.assign(board, { setStateValue, overlay: data.overlay, show: data.show, colours: data.colours })
  hear(board, data)
  refresh(board)
  return () => forget(box, board)
}
