#!/usr/bin/env bash
# The whole path in a few minutes, each step by the command a user would type: `make demo` runs this.
# Fails where fewer than 95% of the held-out lines are translated exactly, or where the service answers otherwise than
# the command line.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n# %s\n' "$1"; }
run() { printf '$ %s\n' "$1"; eval "$1"; }

step "A corpus: 24,000 sentences of dates, times, numbers and amounts, in English and German. 500 more are held out."
rm -rf runs/demo exports/demo exports/demo-onnx
run "python data_scripts/demo.py data/demo"

step "What is wrong or suspicious in the job's files, before time is spent on them?"
run "nmt check configs/demo.yaml"

step "Train: first the tokenizer, then the model, scored on the validation set as it goes. Stop it with Ctrl-C and the same command goes on."
run "nmt train configs/demo.yaml"

step "Translate sentences that it never saw."
run "head -n 5 data/demo/test.en"
run "head -n 5 data/demo/test.en | nmt translate runs/demo"

step "Two sentences on a line, a line in capitals, a soft hyphen inside a word, and an ellipsis: none of it is in the training text."
printf '%s\n' 'Sales rose by 98.1% in the 2nd quarter. The exam on November 22 has been canceled.' \
  'THE EXAM ON NOVEMBER 22 HAS BEEN CANCELED.' $'The exam on Novem\xc2\xadber 22 has been canceled.' \
  'The train leaves at half past three on Monday …' > runs/demo/unusual.en
run "cat runs/demo/unusual.en"
run "nmt translate runs/demo runs/demo/unusual.en"

step "Translate all 500 of them, and count those that are right to the letter."
run "nmt translate runs/demo data/demo/test.en --output runs/demo/test.de"
exact=$(paste runs/demo/test.de data/demo/test.de | awk -F '\t' '$1 == $2' | wc -l)
lines=$(wc -l < data/demo/test.de)
echo "exactly right: $exact of $lines"
if (( exact * 100 < lines * 95 )); then
  echo "error: fewer than 95% are exactly right" >&2
  exit 1
fi

step "The usual metrics, with the signatures that make them comparable."
run "nmt evaluate runs/demo"

step "Export a SavedModel for TensorFlow Serving: text in, text out."
run "nmt export runs/demo exports/demo"

step "Serve it: the same REST and gRPC API as TensorFlow Serving's, on two free ports."
read -r rest_port grpc_port < <(python -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(each.getsockname()[1] for each in sockets))')
run "nmt serve exports/demo --port $grpc_port --rest-api-port $rest_port &"
server=$!
trap 'kill $server; wait $server || true' EXIT
until python -c "import urllib.request as web; web.urlopen('http://localhost:$rest_port/v1/models/translator')" 2> /dev/null
do
  kill -0 $server  # ends the demo where the server has ended
  sleep 1
done

step "Ask it: by the command line, and as any program can."
run "echo 'The train leaves at half past three on Monday.' | nmt translate --server http://localhost:$rest_port"
request='{"instances": ["The bill comes to forty-two euros."]}'
predict="http://localhost:$rest_port/v1/models/translator:predict"
if command -v curl > /dev/null; then
  run "curl --silent --show-error --fail --data '$request' $predict"
else
  run "python -c 'import sys, urllib.request as web; print(web.urlopen(sys.argv[1], sys.argv[2].encode()).read().decode())' \\
    $predict '$request'"
fi

step "It says what the command line says, line for line, over REST and gRPC."
run "nmt translate --server http://localhost:$rest_port data/demo/test.en | diff - runs/demo/test.de"
run "nmt translate --server grpc://localhost:$grpc_port data/demo/test.en | diff - runs/demo/test.de"

step "The same sentence without TensorFlow: an export for ONNX Runtime, and the seconds from a cold start to the translation."
run "nmt export runs/demo exports/demo-onnx --format onnx"
TIMEFORMAT='%R seconds'
run "time nmt translate exports/demo-onnx <<< 'The train leaves at half past three on Monday.'"

step "Done. The run is runs/demo, the exports are exports/demo and exports/demo-onnx. For your own text, start with: nmt init --source text.en --target text.de"

step "Translate as you type: start the web page with the first line, then open the second in a browser."
echo '.venv/bin/nmt gateway --model en-de=exports/demo'
echo 'http://127.0.0.1:5000/'
