// Shows one state after another.
const VIEWS = { ping, serve, fleet, proxy };
let last = JSON.parse($("first").textContent);
const view = VIEWS[last.kind];

// Read out by screen readers, so only what changes seldom.
function announce(text) {
  if ($("announcement").textContent !== text) $("announcement").textContent = text;
}

function show(state) {
  last = state;
  document.title = state.title + " · udpecho";
  document.body.dataset.version = state.version;
  $("title").textContent = state.title;
  $("about").textContent = state.about;
  $("injects").textContent = state.injects;
  const remaining = state.left == null ? "" : `, ${clock(state.left)} left`;
  $("state").textContent = state.over ? "finished" : `live, ${clock(state.elapsed)} so far${remaining}`;
  $("state").className = state.over ? "" : "live";
  if (state.over) announce("finished");
  view.show(state);
}

$("main").innerHTML = view.layout();
$("record").href = $("record").textContent = view.record;
view.start(() => show(last));
show(last);
addEventListener("resize", () => show(last));
if (!last.over) {
  const events = new EventSource("/events");
  events.onmessage = (event) => show(JSON.parse(event.data));
  events.addEventListener("end", (event) => { show(JSON.parse(event.data)); events.close(); });
  events.onopen = () => announce("live");
  events.onerror = () => {
    $("state").textContent = "connection lost; these are the last figures";
    $("state").className = "gone";
    announce("connection lost");
  };
}
