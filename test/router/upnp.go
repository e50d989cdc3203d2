package router

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

const service = "urn:schemas-upnp-org:service:WANIPConnection:1"

// description is that of a gateway (WANIPConnection 1); %s is the URL base.
const description = `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0">
<specVersion><major>1</major><minor>0</minor></specVersion>
<URLBase>%s</URLBase>
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><friendlyName>test</friendlyName>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType>
<serviceList><service><serviceType>` + service + `</serviceType><serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>
<controlURL>/control</controlURL><eventSubURL>/event</eventSubURL><SCPDURL>/scpd.xml</SCPDURL></service></serviceList>
</device></deviceList></device></deviceList></device></root>`

// Described is the description with another URL base, or as it is with %s.
func Described(base string) string { return fmt.Sprintf(description, base) }

func (r *Router) http(w http.ResponseWriter, req *http.Request) {
	r.pause()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked["http"]++
	switch {
	case r.o.Redirect != "":
		http.Redirect(w, req, r.o.Redirect, http.StatusTemporaryRedirect)
	case req.URL.Path == "/description.xml" && r.o.Endless:
		endless(w, req)
	case req.URL.Path == "/description.xml" && r.o.Description != "":
		_, _ = io.WriteString(w, strings.ReplaceAll(r.o.Description, "%s", "http://"+r.servers.webAt+"/"))
	case req.URL.Path == "/description.xml":
		_, _ = io.WriteString(w, Described("http://"+r.servers.webAt+"/"))
	case req.URL.Path == "/control" && req.Method == http.MethodPost:
		r.control(w, req)
	default:
		http.NotFound(w, req)
	}
}

// endless writes elements until the reader goes.
func endless(w http.ResponseWriter, req *http.Request) {
	_, err := io.WriteString(w, `<root xmlns="urn:schemas-upnp-org:device-1-0"><device>`)
	for err == nil && req.Context().Err() == nil {
		_, err = io.WriteString(w, strings.Repeat("<device><deviceType>x</deviceType>", 100))
	}
}

// A call has the arguments of all actions.
type call struct {
	Body struct {
		Action struct {
			XMLName  xml.Name
			External string `xml:"NewExternalPort"`
			Internal string `xml:"NewInternalPort"`
			Client   string `xml:"NewInternalClient"`
			Protocol string `xml:"NewProtocol"`
			Lease    string `xml:"NewLeaseDuration"`
		} `xml:",any"`
	} `xml:"Body"`
}

func (r *Router) control(w http.ResponseWriter, req *http.Request) {
	var c call
	if err := xml.NewDecoder(io.LimitReader(req.Body, 1<<16)).Decode(&c); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a, now := c.Body.Action, time.Now()
	external, _ := strconv.ParseUint(a.External, 10, 16)
	switch a.XMLName.Local {
	case "GetExternalIPAddress":
		reply(w, a.XMLName.Local, fmt.Sprintf("<NewExternalIPAddress>%s</NewExternalIPAddress>", r.o.External))
	case "AddPortMapping":
		r.asked["add"]++
		internal, _ := strconv.ParseUint(a.Internal, 10, 16)
		lease, _ := strconv.ParseUint(a.Lease, 10, 32)
		client, err := netip.ParseAddr(a.Client)
		if err != nil || a.Protocol != "UDP" {
			fault(w, 402)
			return
		}
		r.add(w, Mapping{Protocol: "upnp", Client: netip.AddrPortFrom(client, uint16(internal)), External: uint16(external), Lifetime: uint32(lease)}, now)
	case "DeletePortMapping":
		r.asked["delete"]++
		if _, there := r.table[uint16(external)]; !there {
			fault(w, 714)
			return
		}
		delete(r.table, uint16(external))
		r.changed(now)
		reply(w, a.XMLName.Local, "")
	default:
		fault(w, 401)
	}
}

func (r *Router) add(w http.ResponseWriter, m Mapping, now time.Time) {
	old, there := r.table[m.External]
	switch {
	case r.o.Refuse != 0:
		fault(w, int(r.o.Refuse))
	case r.o.Permanent && m.Lifetime != 0:
		fault(w, 725)
	case r.taken(m.External, now) && (!there || old.Client != m.Client):
		fault(w, 718)
	default:
		if m.Lifetime == 0 {
			m.Lifetime = 1 << 31
		}
		r.put(&m, now)
		reply(w, "AddPortMapping", "")
	}
}

const envelope = `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>%s</s:Body></s:Envelope>`

func reply(w io.Writer, action, arguments string) {
	fmt.Fprintf(w, envelope, fmt.Sprintf(`<u:%sResponse xmlns:u="%s">%s</u:%[1]sResponse>`, action, service, arguments))
}

func fault(w http.ResponseWriter, code int) {
	w.WriteHeader(http.StatusInternalServerError)
	fmt.Fprintf(w, envelope, fmt.Sprintf(`<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>%d</errorCode><errorDescription>test</errorDescription></UPnPError></detail></s:Fault>`, code))
}
