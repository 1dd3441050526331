"""Chat completions by the stock OpenAI SDK, and what came over the wire for each.

Reads OPENAI_BASE_URL and OPENAI_API_KEY as an application does. One argument, JSON: model, count, first (number of the first
request), atOnce, maxRetries (absent: the SDK's default), streamed ("none", "half" or "all"). Prints a line of JSON for each
request: number, ok, error, text (what the SDK gave), attempts, sha256 and bytes (of the last raw body), status, member.
"""

import concurrent.futures
import hashlib
import json
import sys
import threading

import httpx2
import openai

asked = json.loads(sys.argv[1])
seen = threading.local()


class Tee(httpx2.SyncByteStream):
    """Hands bytes on and remembers what they hash to."""

    def __init__(self, stream, record):
        self.stream, self.record = stream, record

    def __iter__(self):
        for part in self.stream:
            self.record["hash"].update(part)
            self.record["bytes"] += len(part)
            yield part

    def close(self):
        self.stream.close()


class Wire(httpx2.HTTPTransport):
    """Every HTTP exchange that the SDK makes, its retries included."""

    def handle_request(self, request):
        record = {"hash": hashlib.sha256(), "bytes": 0, "status": None, "member": None}
        seen.attempts.append(record)
        response = super().handle_request(request)
        record["status"] = response.status_code
        record["member"] = response.headers.get("x-keypool-member")
        response.stream = Tee(response.stream, record)
        return response


options = {} if asked.get("maxRetries") is None else {"max_retries": asked["maxRetries"]}
client = openai.OpenAI(http_client=openai.DefaultHttpxClient(transport=Wire()), **options)


def is_streamed(number):
    return {"none": False, "half": number % 2 == 1, "all": True}[asked["streamed"]]


def text_of(number):
    messages = [{"role": "user", "content": f"question {number}"}]
    if not is_streamed(number):
        answer = client.chat.completions.create(model=asked["model"], messages=messages)
        return answer.choices[0].message.content
    parts, finish = [], None
    for chunk in client.chat.completions.create(model=asked["model"], messages=messages, stream=True):
        for choice in chunk.choices:
            parts.append(choice.delta.content or "")
            finish = choice.finish_reason or finish
    if finish is None:
        raise RuntimeError("the stream ended without a finish reason")
    return "".join(parts)


def ask(number):
    seen.attempts = []
    line = {"number": number, "ok": True, "error": None, "text": None}
    try:
        line["text"] = text_of(number)
    except Exception as error:
        line["ok"], line["error"] = False, f"{type(error).__name__}: {error}"
    line["attempts"] = len(seen.attempts)
    last = seen.attempts[-1]
    line |= {"sha256": last["hash"].hexdigest(), "bytes": last["bytes"], "status": last["status"], "member": last["member"]}
    return line


numbers = range(asked.get("first", 0), asked.get("first", 0) + asked["count"])
with concurrent.futures.ThreadPoolExecutor(asked["atOnce"]) as pool:
    for line in pool.map(ask, numbers):
        print(json.dumps(line))
