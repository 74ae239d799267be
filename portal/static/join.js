// Says which time zone this browser is in, so that study days follow the participant's own clock.
"use strict";

document.querySelector("#timezone").value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
