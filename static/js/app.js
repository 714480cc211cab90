// The one entry: each behaviour is a module of its own and finds its elements by data- attributes.
import "./ask.js";
import "./busy.js";
import "./chart.js";
import "./check-all.js";
import "./complete.js";
import "./copy.js";
import "./countdown.js";
import "./dialog.js";
import "./draft.js";
import "./edit.js";
import "./focus.js";
import "./help.js";
import "./keys.js";
import "./live.js";
import "./local-time.js";
import "./mention.js";
import "./menu.js";
import "./neighbours.js";
import "./optimistic.js";
import "./palette.js";
import "./query.js";
import "./select.js";
import "./theme.js";
import "./toast.js";

document.documentElement.dataset.js = "";
